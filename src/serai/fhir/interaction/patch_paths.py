"""The places in a resource that a simple FHIRPath names, as places that can be written to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from serai.fhir import definitions
from serai.fhir.body import Data
from serai.fhir.definitions import Element
from serai.kernel.errors import Invalid, Malformed

LONGEST_PATH = 1000

_STRING = r"'((?:[^'\\]|\\.)*)'"
_STEP = re.compile(
    rf"""(?P<name>[A-Za-z][A-Za-z0-9]*)(?:\(\s*(?P<argument>(?:{_STRING}|[^'()])*)\s*\))?
        |\[(?P<index>[0-9]{{1,6}})\]""",
    re.VERBOSE,
)
_TEST = re.compile(rf"\s*([A-Za-z][A-Za-z0-9.]*)\s*(=|!=)\s*(?:{_STRING}|(true|false|[0-9]+))\s*")
_FUNCTIONS = ("where", "first", "last", "single", "extension", "ofType")


class Spot(NamedTuple):
    """Where in the definitions: a type and the path below it."""

    type: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """One element: `holder[key]`, or its member `index`; the resource itself has no key."""

    holder: Data
    key: str
    spot: Spot
    element: Element | None = None
    index: int | None = None

    @property
    def repeats(self) -> bool:
        return self.element is not None and self.element.repeats

    @property
    def value(self) -> Any:
        if not self.key:
            return self.holder
        found = self.holder.get(self.key)
        return found if self.index is None or found is None else found[self.index]

    def items(self) -> list[Place]:
        """What stands at this element: nothing, one value, or each member of the list."""
        found = self.holder.get(self.key)
        if isinstance(found, list):
            return [
                Place(self.holder, self.key, self.spot, self.element, position)
                for position in range(len(found))
            ]
        return [self] if self.key in self.holder or f"_{self.key}" in self.holder else []

    def list_of(self, key: str) -> list[Any]:
        found = self.holder.setdefault(key, [])
        if not isinstance(found, list):
            raise Invalid("patch.no-list")
        return found

    def json_key(self, type_name: str) -> str:
        if self.element is None or not self.element.is_choice:
            return self.key
        return self.element.name + type_name

    def put(self, key: str, value: Any) -> None:
        if self.index is not None:
            self.holder[self.key][self.index] = value
        elif key == self.key:
            self.holder[key] = value
        else:
            _rename(self.holder, self.key, key, value)

    def remove(self) -> None:
        """An empty list is not JSON of FHIR (R4 §2.6.2), so the last member takes it along."""
        for key in (self.key, f"_{self.key}"):
            found = self.holder.get(key)
            if self.index is None or not isinstance(found, list):
                self.holder.pop(key, None)
                continue
            del found[self.index : self.index + 1]
            if not found:
                del self.holder[key]


def _rename(holder: Data, old: str, new: str, value: Any) -> None:
    kept = {new if key == old else key: value if key == old else one for key, one in holder.items()}
    holder.clear()
    holder.update(kept)


def split_last(path: str) -> tuple[str, str]:
    """``Patient.contact[0].telecom`` → ``Patient.contact[0]``, ``telecom``"""
    before, dot, name = path.strip().rpartition(".")
    if not dot or not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name):
        raise Invalid("patch.no-list")
    return before, name


def evaluate(resource: Data, path: str) -> list[Place]:
    """Every element that the path names, in order."""
    steps = list(_steps(path))
    kind = str(resource["resourceType"])
    places = [Place(resource, "", Spot(kind))]
    if not steps or steps[0]["name"] not in (kind, "Resource", "DomainResource"):
        raise Malformed("patch.path")
    for step in steps[1:]:
        places = _follow(places, step)
    return places


def child(place: Place, name: str) -> Place:
    """The element `name` below a place, whether or not it is there."""
    if not isinstance(place.value, dict):
        raise Invalid("patch.no-target")
    spot = place.spot
    element = definitions.element(spot.type, f"{spot.path}.{name}" if spot.path else name)
    if element is None:
        raise Invalid("patch.no-element", name=name[:64])
    key = next((one for one in element.json_names() if one in place.value), element.name)
    return Place(place.value, key, _spot_of(spot, element, key), element)


def _spot_of(spot: Spot, element: Element, key: str) -> Spot:
    if element.content is not None:
        return Spot(spot.type, element.content)
    kind = element.json_names().get(key)
    if kind is None or kind.code in ("BackboneElement", "Element"):
        return Spot(spot.type, element.path)
    return Spot(kind.structure)


def _steps(path: str) -> Iterator[re.Match[str]]:
    if len(path) > LONGEST_PATH:
        raise Malformed("patch.path")
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise Malformed("patch.path")
        yield match
        position = match.end()
        if position < len(path) and path[position] == ".":
            position += 1
        elif position < len(path) and path[position] != "[":
            raise Malformed("patch.path")


def _follow(places: list[Place], step: re.Match[str]) -> list[Place]:
    if step["index"] is not None:
        return places[int(step["index"]) :][:1]
    if step["argument"] is None:
        return [item for place in places for item in _children(place, step["name"])]
    return _call(places, step["name"], step["argument"].strip())


def _children(place: Place, name: str) -> list[Place]:
    return child(place, name).items() if isinstance(place.value, dict) else []


def _call(places: list[Place], name: str, argument: str) -> list[Place]:
    match name:
        case "first" if not argument:
            return places[:1]
        case "last" if not argument:
            return places[-1:]
        case "single" if not argument:
            return places
        case "where":
            tests = _tests(argument)
            return [one for one in places if all(_holds(one, *test) for test in tests)]
        case "extension":
            url = re.fullmatch(_STRING, argument)
            if url is not None:
                found = [item for one in places for item in _children(one, "extension")]
                return [one for one in found if one.value.get("url") == url[1]]
        case "ofType":
            ending = argument[:1].upper() + argument[1:]
            return [one for one in places if one.key == one.json_key(ending)]
    raise Malformed("patch.path")


def _tests(argument: str) -> list[tuple[str, bool, object]]:
    tests: list[tuple[str, bool, object]] = []
    position = 0
    while True:
        match = _TEST.match(argument, position)
        if match is None:
            raise Malformed("patch.path")
        wanted: object = match[3]
        if wanted is None:
            wanted = {"true": True, "false": False}.get(match[4], match[4])
        tests.append((match[1], match[2] == "=", wanted))
        position = match.end()
        if position == len(argument):
            return tests
        if not argument.startswith("and ", position):
            raise Malformed("patch.path")
        position += 4


def _holds(place: Place, path: str, equal: bool, wanted: object) -> bool:  # noqa: FBT001
    places = [place]
    for name in path.split("."):
        places = [item for one in places for item in _children(one, name)]
    found = [one.value if isinstance(one.value, bool | str) else str(one.value) for one in places]
    return bool(found) and (wanted in found) == equal
