"""A snapshot from a differential, for the plain cases: elements the base names, and slices
of them (R4 §5.1.0.3). What needs the content of another type is refused."""

from __future__ import annotations

from typing import Any

from serai.fhir.body import Data
from serai.kernel.errors import Unsupported

GATHERED = ("constraint", "condition", "mapping")


def with_snapshot(definition: Data, base: Data) -> Data:
    made: list[Data] = [dict(one) for one in base["snapshot"]["element"]]
    for changed in definition.get("differential", {}).get("element", ()):
        _apply(made, changed, str(definition.get("url")))
    return definition | {"snapshot": {"element": made}}


def _apply(made: list[Data], changed: Data, url: str) -> None:
    path, name = str(changed.get("path")), changed.get("sliceName")
    own = str(changed.get("id", path if name is None else f"{path}:{name}"))
    at = next((i for i, one in enumerate(made) if _id(one) == own), None)
    if at is not None:
        made[at] = _merged(made[at], changed)
        return
    first = next((i for i, one in enumerate(made) if _id(one) == own.rpartition(":")[0]), None)
    if name is None or first is None:
        raise Unsupported("profile.cannot-compile", profile=url)
    end = first + 1
    while end < len(made) and _id(made[end]).startswith((f"{_id(made[first])}.",
                                                         f"{_id(made[first])}:")):  # fmt: skip
        end += 1
    new = _merged({k: v for k, v in made[first].items() if k != "slicing"}, changed)
    made.insert(end, {"min": 0} | new | {"min": changed.get("min", 0), "id": own})


def _id(element: Data) -> str:
    return str(element.get("id", element.get("path")))


def _merged(under: Data, over: Data) -> Data:
    merged: dict[str, Any] = under | over
    for name in GATHERED:
        if name in under and name in over:
            merged[name] = [*under[name], *over[name]]
    return merged
