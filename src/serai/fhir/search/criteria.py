"""One search criterion by its name: a parameter of the type, a chain, or `_has`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from serai.fhir.definitions import RESOURCE_TYPES, SearchParameter
from serai.fhir.search import conditions, own
from serai.fhir.search.conditions import NotHonoured
from serai.fhir.search.own import search_parameters
from serai.fhir.search.query import Branch, Chain, Has, Test
from serai.fhir.search.texts import COLUMNS
from serai.kernel.errors import Malformed

# Levels of chains and `_has` in one parameter; each costs a search of its own.
MOST_LEVELS = 5
# Alternatives in one value; a statement must not grow without bound.
MOST_VALUES = 1000
# Of the standard, yet not honoured here: refused by name rather than as unknown.
NOT_OFFERED = frozenset({"_has", "_list", "_filter", "_query", "_contained", "_containedType"})


@dataclass(frozen=True, slots=True)
class Given:
    """A value with what it takes to read it; `levels` may still be gone down."""

    value: str
    now: datetime
    base: str
    levels: int = MOST_LEVELS

    def below(self, name: str) -> Given:
        if self.levels == 0:
            raise Malformed("search.too-deep", parameter=name, most=MOST_LEVELS)
        return Given(self.value, self.now, self.base, self.levels - 1)


@cache
def honoured(resource_type: str) -> Mapping[str, SearchParameter]:
    """The parameters of a type that search answers; the CapabilityStatement lists these."""
    known = search_parameters(resource_type)
    return {code: found for code, found in known.items() if found.is_supported or code in COLUMNS}


own.forgets(honoured.cache_clear)


def criterion(kind: str, name: str, given: Given) -> Test:
    """NotHonoured for a name that means nothing on this type."""
    if name.startswith("_has:"):
        return _has(kind, name, given)
    if name == "_list":
        return _list(given)
    head, dot, rest = name.partition(".")
    return _chain(kind, head, rest, given) if dot else _parameter(kind, name, given)


def _parameter(kind: str, name: str, given: Given) -> Test:
    code, _, modifier = name.partition(":")
    if not given.value:
        raise Malformed("search.empty", parameter=name)
    if "\0" in given.value:
        raise Malformed("fhir.nul-character", parameter=name)
    if given.value.count(",") >= MOST_VALUES:
        raise Malformed("search.too-many-values", parameter=name, most=MOST_VALUES)
    parameter = _known(kind, code, name)
    return conditions.build(
        conditions.Asked(kind, parameter, modifier, given.value, given.now, given.base)
    )


def _known(kind: str, code: str, name: str) -> SearchParameter:
    parameter = honoured(kind).get(code)
    if parameter is None:
        known = code in search_parameters(kind) or code in NOT_OFFERED
        key = "search.unsupported-parameter" if known else "search.unknown-parameter"
        raise NotHonoured(key, parameter=name, type=kind)
    return parameter


def _reference(kind: str, code: str, name: str) -> SearchParameter:
    parameter = _known(kind, code, name)
    if parameter.type != "reference":
        raise NotHonoured("search.not-a-reference", parameter=name)
    return parameter


def _chain(kind: str, head: str, rest: str, given: Given) -> Test:
    """``subject:Patient.name``; untyped, every target that has the parameter counts."""
    name = f"{head}.{rest}"
    code, _, target = head.partition(":")
    possible = _reference(kind, code, name).targets or RESOURCE_TYPES
    if target and (target not in RESOURCE_TYPES or target not in possible):
        raise Malformed("search.chain-target", parameter=name)
    below = given.below(name)
    if target:
        return Chain(code, (Branch(target, criterion(target, rest, below)),))
    branches = []
    refused: NotHonoured | None = None
    for one in sorted(possible):
        try:
            branches.append(Branch(one, criterion(one, rest, below)))
        except NotHonoured as error:
            refused = error
    if not branches and refused is not None:
        raise NotHonoured("search.unknown-parameter", parameter=name, type=kind) from refused
    return Chain(code, tuple(branches))


def _has(kind: str, name: str, given: Given) -> Test:
    """``_has:Observation:subject:code`` — resources that such an Observation points to."""
    parts = name.split(":", 3)
    if len(parts) < 4 or parts[1] not in RESOURCE_TYPES or not parts[3]:
        raise Malformed("search.has", parameter=name)
    _, source, code, rest = parts
    parameter = _reference(source, code, name)
    if parameter.targets and kind not in parameter.targets:
        raise Malformed("search.has", parameter=name)
    return Has(Branch(source, criterion(source, rest, given.below(name))), code)


def _list(given: Given) -> Test:
    """Items of the lists with these ids (R4 §3.1.1.4.16); functional lists are not offered."""
    if given.value.startswith("$"):
        raise NotHonoured("search.functional-list", parameter="_list")
    return Has(Branch("List", _parameter("List", "_id", given)), "item")
