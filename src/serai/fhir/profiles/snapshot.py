"""What a differential says, laid over its base (R4 §5.1.0.3).

Of R4's own types nothing is copied: the base validation holds every instance against those, so
that elements which no profile mentions need no place here. Such a tree is partial: what belongs
to a slice is held against the element that is sliced as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from serai.fhir import definitions as r4
from serai.fhir.body import Data
from serai.kernel.errors import Unsupported

GATHERED: Final = ("constraint", "condition", "mapping")
OF_THE_GROUP: Final = ("path", "max", "type", "contentReference")

# One step for each part of the path: ``("Observation", "component:systolic", "code")``
Steps = tuple[str, ...]


@dataclass(slots=True)
class _Entry:
    element: Data
    children: dict[str, _Entry] = field(default_factory=dict)
    slices: dict[str, _Entry] = field(default_factory=dict)


def of_core(type_name: str) -> Data:
    """The base that R4 itself is: nothing to add to what the base validation checks."""
    return {"snapshot": {"element": [{"path": type_name}]}}


def with_snapshot(definition: Data, base: Data) -> Data:
    """Unsupported when it is not made like a differential."""
    try:
        made = _Tree(base["snapshot"]["element"])
        for changed in (definition.get("differential") or {}).get("element", ()):
            made.change(changed)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Unsupported("profile.cannot-compile", profile=str(definition.get("url"))) from error
    return definition | {"snapshot": {"element": list(_flat(made.root))}}


class _Tree:
    """The elements by steps; `_above` are those that the last one stands below."""

    def __init__(self, elements: Iterable[Data]) -> None:
        listed = iter(elements)
        self.root = _Entry(dict(next(listed)))
        self.type = str(self.root.element["path"])
        self._above: list[Steps] = [(self.type,)]
        for one in listed:
            self._at(self._steps(one)).element.update(one)

    def change(self, changed: Data) -> None:
        entry = self._at(self._steps(changed))
        path = entry.element["path"]
        entry.element = _merged(entry.element, changed) | {"path": path}

    def _steps(self, element: Data) -> Steps:
        """By its id where that is well made, else by its path and what came before it."""
        path, name = str(element["path"]), element.get("sliceName")
        names = path.split(".")
        told = tuple(str(element.get("id", "")).split("."))
        if len(told) != len(names) or told[0] != self.type:
            while len(self._above) > 1 and not _is_below(names, self._above[-1]):
                self._above.pop()
            above = self._above[-1]
            told = (*above, *names[len(above) :])
            told = (*told[:-1], f"{told[-1]}:{name}") if name else told
        steps = self._spelled(told)
        self._above.append(steps)
        return steps

    def _spelled(self, steps: Steps) -> Steps:
        """``valueQuantity`` is the slice of ``value[x]`` for that type (R4 §5.1.0.9)."""
        made: list[str] = []
        for step in steps:
            name = step.partition(":")[0]
            choice = None if "[x]" in name else _choice_of(_found(tuple(made)), name)
            made.append(step if choice is None else f"{choice}[x]:{name}")
        return tuple(made)

    def _at(self, steps: Steps) -> _Entry:
        """The entry, with those above it, made where nothing was said of them yet."""
        entry = self.root
        for depth in range(1, len(steps)):
            entry = _below(entry, steps[: depth + 1])
        return entry


def _is_below(names: list[str], above: Steps) -> bool:
    bare = [step.partition(":")[0] for step in above]
    return len(names) > len(bare) and names[: len(bare)] == bare


def _below(parent: _Entry, steps: Steps) -> _Entry:
    name, _, slice_name = steps[-1].partition(":")
    if name not in parent.children:
        path = f"{parent.element['path']}.{name}"
        types = [{"code": code} for code in _types(_found(steps[:-1]), name.removesuffix("[x]"))]
        element: Data = {"path": path, "partial": True} | ({"type": types} if types else {})
        parent.children[name] = _Entry(element)
    group = parent.children[name]
    if not slice_name:
        return group
    if slice_name not in group.slices:
        element = {key: group.element[key] for key in OF_THE_GROUP if key in group.element}
        element |= {"min": 0, "sliceName": slice_name, "partial": True}
        kind = _type_named(name, slice_name)
        group.slices[slice_name] = _Entry(element | ({"type": [{"code": kind}]} if kind else {}))
    return group.slices[slice_name]


def _flat(entry: _Entry) -> Iterator[Data]:
    yield entry.element
    for one in (*entry.children.values(), *entry.slices.values()):
        yield from _flat(one)


def _merged(under: Data, over: Data) -> Data:
    merged: dict[str, Any] = under | over
    for name in GATHERED:
        if name in under and name in over:
            merged[name] = [*under[name], *over[name]]
    return merged


def _found(steps: Steps) -> tuple[str, str] | None:
    """Where R4 describes what stands there: a type and the path below it."""
    known = r4.RESOURCE_TYPES | r4.COMPLEX_TYPES
    spot: tuple[str, str] | None = (steps[0], "") if steps and steps[0] in known else None
    for step in steps[1:]:
        spot = _next(spot, step)
    return spot


def _next(spot: tuple[str, str] | None, step: str) -> tuple[str, str] | None:
    if spot is None:
        return None
    name, _, slice_name = step.partition(":")
    bare = name.removesuffix("[x]")
    element = r4.element(spot[0], f"{spot[1]}.{bare}" if spot[1] else bare)
    if element is None:
        return None
    if element.content is not None:
        return spot[0], element.content
    kind = element.json_names().get(slice_name if element.is_choice else bare)
    if kind is None or kind.is_primitive:
        return None
    if kind.code in ("BackboneElement", "Element"):
        return spot[0], element.path
    return (kind.structure, "") if kind.structure in r4.COMPLEX_TYPES else None


def _choice_of(spot: tuple[str, str] | None, name: str) -> str | None:
    if spot is None or r4.element(spot[0], f"{spot[1]}.{name}" if spot[1] else name) is not None:
        return None
    choices = (one for one in r4.children(*spot) if one.is_choice)
    return next((one.name for one in choices if name in one.json_names()), None)


def _types(spot: tuple[str, str] | None, name: str) -> list[str]:
    if spot is None:
        return []
    element = r4.element(spot[0], f"{spot[1]}.{name}" if spot[1] else name)
    return [] if element is None else [one.code for one in element.types]


def _type_named(name: str, slice_name: str) -> str | None:
    """``valueQuantity`` of ``value[x]`` → Quantity"""
    bare = name.removesuffix("[x]")
    ending = slice_name.removeprefix(bare)
    if bare == name or ending == slice_name:
        return None
    lower = ending[:1].lower() + ending[1:]
    return ending if ending in r4.COMPLEX_TYPES else lower
