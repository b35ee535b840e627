"""What a resource can be found by, read off in one walk (R4 §3.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from serai.fhir import definitions
from serai.fhir.search.indexed import Harvest, Indexed, ReferenceValue
from serai.fhir.search.plan import plan

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
        patients=patients(kind, resource.get("id"), harvest.references),
    )


def patients(kind: str, own_id: object, references: list[ReferenceValue]) -> frozenset[str]:
    """The Patients of this server in whose compartment the resource is (R4 §2.40).

    A reference with a base of its own names another server's Patient, whose id may by chance
    be one of ours: it never counts.
    """
    params = compartment(kind)
    found = {
        one.id
        for one in references
        if one.type == "Patient" and one.id and one.url is None and one.param in params
    }
    if kind == "Patient" and isinstance(own_id, str):
        found.add(own_id)
    return frozenset(found)


@cache
def compartment(kind: str) -> frozenset[str]:
    return frozenset(definitions.compartment_params("Patient").get(kind, ()))


def _each_once(values: list[Value]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(values))
