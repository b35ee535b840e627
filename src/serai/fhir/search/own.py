"""Every search parameter of a type: HL7's, and those of active SearchParameters kept here.

One process knows one set. `take` exchanges it; what was made of the former set is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from serai.fhir import definitions
from serai.fhir.body import Data
from serai.fhir.definitions import RESOURCE_TYPES, SearchParameter

_EVERY_TYPE = {"Resource": "id", "DomainResource": "text"}

_own: dict[str, dict[str, SearchParameter]] = {}
_forgetting: list[Callable[[], None]] = []


def search_parameters(kind: str) -> Mapping[str, SearchParameter]:
    """By code."""
    known = definitions.search_parameters(kind)
    own = _own.get(kind)
    return MappingProxyType({**own, **known}) if own else known


def own_parameters(kind: str) -> Mapping[str, SearchParameter]:
    """Those that are not HL7's."""
    return _own.get(kind, {})


def has_own() -> bool:
    """Whether any parameter here is not HL7's."""
    return bool(_own)


def forgets(forget: Callable[[], None]) -> None:
    """From now on `forget` is called whenever the parameters change."""
    _forgetting.append(forget)


def take(resources: Iterable[Data]) -> None:
    """Honours these SearchParameters, as far as they are active, and no others."""
    made: dict[str, dict[str, SearchParameter]] = {}
    for one in resources:
        if one.get("status") == "active":
            for kind in types_of(one):
                made.setdefault(kind, {}).setdefault(one["code"], parameter(one))
    _own.clear()
    _own.update(made)
    for forget in _forgetting:
        forget()


def parameter(resource: Data) -> SearchParameter:
    return SearchParameter(
        resource["code"],
        resource["type"],
        resource.get("expression", ""),
        frozenset(resource.get("target", ())),
        resource["url"],
    )


def types_of(resource: Data) -> list[str]:
    """The types it can be asked of; bases that are no types are left out."""
    bases = set(resource.get("base", ()))
    every = [element for base, element in _EVERY_TYPE.items() if base in bases]
    inherited = {
        kind for kind in RESOURCE_TYPES for name in every if definitions.element(kind, name)
    }
    return sorted((bases & RESOURCE_TYPES) | inherited)
