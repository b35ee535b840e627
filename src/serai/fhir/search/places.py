"""Where a search looks: a type, every type, or a compartment (R4 §3.1.1.3, §2.40)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serai.fhir.definitions import COMPARTMENTS, RESOURCE_TYPES, compartment_params
from serai.fhir.search.criteria import Given, criterion
from serai.fhir.search.keys import key
from serai.fhir.search.query import Ids, Keys, Test, Updated, Words
from serai.kernel.errors import Malformed, NotFound


@dataclass(frozen=True, slots=True)
class Place:
    """The types searched, and the compartment (``Patient/1``) they must be in if any."""

    address: str
    types: tuple[str, ...]
    compartment: str = ""

    @property
    def kind(self) -> str:
        """The one type searched; "" for several."""
        return self.types[0] if len(self.types) == 1 else ""

    @property
    def lists_types(self) -> bool:
        """Whether `_type` may narrow it."""
        return not self.address or self.address.endswith("/*")

    def criterion(self, name: str, given: Given) -> Test:
        """What the parameter asks of any of the types; they must all have it (R4 §3.1.1.3)."""
        if self.kind:
            return criterion(self.kind, name, given)
        return _together(name, [criterion(kind, name, given) for kind in self.types])

    def inside(self) -> list[Test]:
        """What being in the compartment comes down to."""
        if not self.compartment:
            return []
        params = compartment_params(self.compartment.partition("/")[0])
        keys = [
            key("ref", kind, param, self.compartment)
            for kind in self.types
            for param in params.get(kind, ())
        ]
        return [Keys(tuple(keys), narrow=True)]


def of_type(kind: str) -> Place:
    if kind not in RESOURCE_TYPES:
        raise Malformed("fhir.unknown-type", type=kind)
    return Place(kind, (kind,))


def system(values: Sequence[str]) -> Place:
    """Every type, or those that `_type` lists."""
    types = [kind for value in values for kind in value.split(",")]
    for kind in types:
        if kind not in RESOURCE_TYPES:
            raise Malformed("fhir.unknown-type", type=kind[:64])
    return Place("", tuple(sorted(set(types) or RESOURCE_TYPES)))


def compartment(name: str, id: str, kind: str, values: Sequence[str] = ()) -> Place:
    """``Patient/1/Observation``; with ``*`` every type that can be in the compartment."""
    if name not in COMPARTMENTS:
        raise NotFound("fhir.unknown-address")
    possible = frozenset(compartment_params(name))
    types = set(system(values).types) & possible if kind == "*" else {kind} & possible
    if not types:
        raise NotFound("search.not-in-compartment", type=kind[:64], compartment=name)
    return Place(f"{name}/{id}/{kind}", tuple(sorted(types)), f"{name}/{id}")


def _together(name: str, tests: list[Test]) -> Test:
    first = tests[0]
    if isinstance(first, Ids | Updated | Words):
        return first
    keys = [one for one in tests if isinstance(one, Keys)]
    if len(keys) < len(tests) or not isinstance(first, Keys):
        raise Malformed("search.not-for-all-types", parameter=name)
    # A key carries its type, so that no type can be found by the key of another.
    return Keys(tuple(k for one in keys for k in one.keys), first.negated)
