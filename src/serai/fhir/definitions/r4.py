"""Reads the shipped definitions (tools/make_definitions.py makes them) once, piece by piece."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import msgspec

from serai.fhir.definitions.model import Component, Element, SearchParameter, TypeRef

FHIR_VERSION = "4.0.1"


class _Type(msgspec.Struct):
    kind: str
    elements: msgspec.Raw


class _Row(msgspec.Struct, array_like=True):
    path: str
    minimum: int
    maximum: str
    types: list[str]
    value_set: str
    content: str


class _Parameter(msgspec.Struct, array_like=True):
    code: str
    type: str
    expression: str
    bases: list[str]
    targets: list[str]
    url: str
    components: list[tuple[str, str]]


class _File(msgspec.Struct):
    version: str
    types: dict[str, _Type]
    search: msgspec.Raw
    compartments: dict[str, dict[str, tuple[str, ...]]]
    value_sets: msgspec.Raw
    summaries: msgspec.Raw


def _read() -> _File:
    packed = files("serai.fhir.definitions").joinpath("r4.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(packed), type=_File)


_FILE = _read()

RESOURCE_TYPES: frozenset[str] = frozenset(
    name for name, entry in _FILE.types.items() if entry.kind == "resource"
)
COMPLEX_TYPES: frozenset[str] = frozenset(_FILE.types) - RESOURCE_TYPES


@cache
def elements(type_name: str) -> Mapping[str, Element]:
    """All elements of a resource or data type by path; KeyError for an unknown type."""
    rows = msgspec.json.decode(_FILE.types[type_name].elements, type=list[_Row])
    made = (_element(row) for row in rows)
    return MappingProxyType({element.path: element for element in made})


def element(type_name: str, path: str) -> Element | None:
    """``element("Patient", "contact.name")``, or None where R4 knows no such element."""
    return elements(type_name).get(path)


@cache
def children(type_name: str, path: str = "") -> tuple[Element, ...]:
    """The elements directly below `path`, in the order of the standard."""
    prefix = f"{path}." if path else ""
    return tuple(
        one
        for one in elements(type_name).values()
        if one.path.startswith(prefix) and "." not in one.path[len(prefix) :]
    )


@cache
def search_parameters(type_name: str) -> Mapping[str, SearchParameter]:
    """All of HL7's parameters for the type by code, those of every resource included."""
    if type_name not in RESOURCE_TYPES:
        raise KeyError(type_name)
    bases = {type_name, "Resource"}
    if element(type_name, "text"):
        bases.add("DomainResource")
    found = {
        row.code: SearchParameter(
            row.code,
            row.type,
            row.expression,
            frozenset(row.targets),
            row.url,
            tuple(_component(url, expression) for url, expression in row.components),
        )
        for row in _parameters()
        if not bases.isdisjoint(row.bases)
    }
    return MappingProxyType(found)


def compartment_params(name: str) -> Mapping[str, tuple[str, ...]]:
    """Type → parameters that place a resource in the compartment (R4 §2.40)."""
    return MappingProxyType(_FILE.compartments[name])


COMPARTMENTS: frozenset[str] = frozenset(_FILE.compartments)


@cache
def summary(type_name: str) -> frozenset[str]:
    """The paths of a resource type that `_summary=true` shows (R4 §3.1.1.5.8)."""
    return _summaries()[type_name]


@cache
def _summaries() -> Mapping[str, frozenset[str]]:
    return msgspec.json.decode(_FILE.summaries, type=dict[str, frozenset[str]])


def value_set(url: str) -> Mapping[str, frozenset[str]] | None:
    """System → codes of a value set some element requires; None where HL7 lists no codes."""
    return _value_sets().get(url.partition("|")[0])


@cache
def _parameters() -> list[_Parameter]:
    return msgspec.json.decode(_FILE.search, type=list[_Parameter])


@cache
def _by_url() -> Mapping[str, _Parameter]:
    return {row.url: row for row in _parameters()}


def _component(url: str, expression: str) -> Component:
    row = _by_url()[url]
    return Component(row.code, row.type, expression)


@cache
def _value_sets() -> Mapping[str, Mapping[str, frozenset[str]] | None]:
    kind = dict[str, dict[str, frozenset[str]] | None]
    return msgspec.json.decode(_FILE.value_sets, type=kind)


def _element(row: _Row) -> Element:
    return Element(
        path=row.path.removesuffix("[x]"),
        minimum=row.minimum,
        maximum=row.maximum,
        types=tuple(_type_ref(word) for word in row.types),
        is_choice=row.path.endswith("[x]"),
        value_set=row.value_set or None,
        content=row.content or None,
    )


def _type_ref(word: str) -> TypeRef:
    """Reads ``Reference(Patient|Group)``, ``Quantity=SimpleQuantity`` or a bare type."""
    code, _, rest = word.partition("(")
    if rest:
        targets = frozenset(rest.removesuffix(")").split("|")) - {"Resource"}
        return TypeRef(code, code, targets)
    code, _, structure = word.partition("=")
    return TypeRef(code, structure or code)
