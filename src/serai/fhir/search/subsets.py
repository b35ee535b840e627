"""Parts of resources: `_elements` and `_summary` (R4 §3.1.1.5.8, §3.1.1.5.9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from serai.fhir.body import Data, encode
from serai.fhir.definitions import children, summary
from serai.fhir.stored import Stored

SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
ALWAYS = frozenset({"resourceType", "id", "meta"})

Keeps = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Subset:
    """`form` is true, text or data of `_summary`, or elements, which `names` lists; those are
    asked of the matches, a summary of everything."""

    form: str
    names: frozenset[str] = frozenset()

    def of(self, one: Stored, mode: str) -> bytes | None:
        """The part of a resource to be shown, marked as such; None for the whole."""
        if self.form == "elements" and mode != "match":
            return None
        return self.part(one.type, one.data)

    def part(self, kind: str, data: Data) -> bytes:
        """The part of a resource of this type, marked as such."""
        shown = _kept(data, "", self._keeps(kind))
        meta = shown.get("meta") or {}
        shown["meta"] = meta | {"tag": [*meta.get("tag", []), SUBSETTED]}
        return encode(shown)

    def _keeps(self, kind: str) -> Keeps:
        match self.form:
            case "data":
                return lambda path: path != "text"
            case "text":
                names = ALWAYS | {"text"} | required(kind)
            case "elements":
                names = ALWAYS | self.names | required(kind)
            case _:
                return _summarised(kind)
        return lambda path: "." in path or path in names


@cache
def keys_of(kind: str, path: str = "") -> frozenset[str]:
    """The JSON keys of the elements below a path."""
    return frozenset(key for one in children(kind, path) for key in one.json_names())


def required(kind: str) -> frozenset[str]:
    """The keys of elements without which the resource would not be valid."""
    needed = (one for one in children(kind) if one.minimum)
    return frozenset(key for one in needed for key in one.json_names())


def element_keys(kind: str, names: Iterable[str]) -> frozenset[str] | None:
    """The keys of these elements (``value`` stands for every valueX); None if one is unknown."""
    known = {one.name: frozenset(one.json_names()) for one in children(kind)}
    if not all(name in known or name in ALWAYS for name in names):
        return None
    return frozenset().union(*(known.get(name, {name}) for name in names))


@cache
def _summarised(kind: str) -> Keeps:
    """What is inside a data type is shown with it; a backbone element has paths of its own."""
    paths = summary(kind)
    backbones = {path.rpartition(".")[0] for path in _all_paths(kind)}
    shown = {
        f"{above}.{key}" if above else key
        for above in backbones
        for one in children(kind, above)
        if one.path in paths or (one.minimum and (not above or above in paths))
        for key in one.json_names()
    }
    return lambda path: path in ALWAYS or path in shown or path.rpartition(".")[0] not in backbones


@cache
def _all_paths(kind: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = [""]
    while waiting:
        for one in children(kind, waiting.pop()):
            found.add(one.path)
            waiting.append(one.path)
    return frozenset(found)


def _kept(value: Data, path: str, keeps: Keeps) -> Data:
    """`_name` goes where `name` goes."""
    made: Data = {}
    for name, child in value.items():
        below = f"{path}.{name.removeprefix('_')}" if path else name.removeprefix("_")
        if keeps(below):
            made[name] = _below(child, below, keeps)
    return made


def _below(child: Any, path: str, keeps: Keeps) -> Any:
    if isinstance(child, dict):
        return _kept(child, path, keeps)
    if isinstance(child, list):
        return [_below(one, path, keeps) for one in child]
    return child
