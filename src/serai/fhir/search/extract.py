"""What a resource can be found by, read off in one walk (R4 §3.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TypeVar

from serai.fhir import definitions
from serai.fhir.search import own
from serai.fhir.search.indexed import Harvest, Indexed, ReferenceValue, StringValue
from serai.fhir.search.plan import emits, plan, plan_of, plan_of_texts

__all__ = ["Indexed", "index"]

Value = TypeVar("Value")


def index(resource: Mapping[str, object]) -> Indexed:
    """The values of every search parameter of the resource's type; KeyError for no R4 type."""
    kind = str(resource["resourceType"])
    harvest = Harvest()
    plan(kind).visit(resource, harvest)
    return Indexed(
        tokens=_each_once(harvest.tokens),
        references=_each_once(harvest.references),
        strings=_each_once(harvest.strings),
        dates=_each_once(harvest.dates),
        uris=_each_once(harvest.uris),
        quantities=_each_once(harvest.quantities),
        pairs=tuple(harvest.pairs),
        positions=tuple(harvest.positions),
    )


def references(resource: Mapping[str, object], param: str) -> list[ReferenceValue]:
    """What one reference parameter of a resource points to."""
    harvest = Harvest()
    plan_of(str(resource["resourceType"]), param).visit(resource, harvest)
    return harvest.references


def token_texts(resource: Mapping[str, object]) -> list[StringValue]:
    """The texts that go with codes and identifiers (R4 §3.1.1.4.10)."""
    harvest = Harvest()
    plan_of_texts(str(resource["resourceType"])).visit(resource, harvest)
    return harvest.strings


@cache
def has_texts(kind: str, param: str) -> bool:
    """Whether values of a token parameter have texts: a CodeableConcept has, a boolean not."""
    texts = emits(kind, replace(own.search_parameters(kind)[param], type="text"))
    return next(texts, None) is not None


own.forgets(has_texts.cache_clear)


@cache
def compartment(kind: str) -> frozenset[str]:
    """The parameters whose references put a resource into a Patient's compartment (R4 §2.40)."""
    return frozenset(definitions.compartment_params("Patient").get(kind, ()))


def _each_once(values: list[Value]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(values))
