"""Objects: which keys a type has, which it must have, which exclude each other.

Each type (and each backbone within a type) is compiled once, when first met, into a table of
fields; after that a validation is one pass over the decoded JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from serai.fhir import definitions
from serai.fhir.definitions import RESOURCE_TYPES, Element, TypeRef
from serai.fhir.validation import bindings, fields, invariants, references
from serai.fhir.validation.bindings import Rule
from serai.fhir.validation.extension import check_extension
from serai.fhir.validation.fields import Field, Json
from serai.fhir.validation.findings import Findings, Place, below
from serai.fhir.validation.narrative import check_div
from serai.fhir.validation.primitives import TESTS

# Far deeper than any real record; keeps hostile nesting away from Python's own limit.
DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Table:
    """`required` and `choices` hold the JSON keys of which one, or at most one, is there."""

    fields: dict[str, Field]
    required: tuple[tuple[str, frozenset[str]], ...]
    choices: tuple[tuple[str, frozenset[str]], ...]
    rules: tuple[Rule, ...]


class Structure:
    """The check of one kind of object, e.g. Patient, Patient.contact or HumanName."""

    __slots__ = ("_may_be_only_an_id", "_path", "_table", "_type")

    def __init__(self, type_name: str, path: str) -> None:
        self._type = type_name
        self._path = path
        self._table: Table | None = None
        # Elsewhere an id alone says nothing (invariant ele-1); beside a primitive it names that.
        self._may_be_only_an_id = type_name == "Element" or (
            type_name in RESOURCE_TYPES and not path
        )

    def check(self, value: object, place: Place, findings: Findings) -> None:
        if type(value) is not dict:
            refuse_shape(value, place, findings)
            return
        if place[3] > DEEPEST:
            findings.add("too-long", "fhir.too-deep", place)
            return
        table = self._table or self._compiled()
        self._check_keys(value, table.fields, place, findings)
        for label, names in table.required:
            if names.isdisjoint(value):
                findings.add("required", "fhir.missing", below(place, label))
        for label, names in table.choices:
            if len(names & value.keys()) > 1:
                self._check_choice(label, names, value, place, findings)
        for rule in table.rules:
            rule(value, place, findings)

    def _check_keys(
        self, value: Json, known: dict[str, Field], place: Place, findings: Findings
    ) -> None:
        for name, child in value.items():
            field = known.get(name)
            if field is None:
                findings.add("structure", "fhir.unknown-element", below(place, str(name)[:64]))
            else:
                field(child, value, place, findings)
        if not value or (len(value) == 1 and "id" in value and not self._may_be_only_an_id):
            findings.add("structure", "fhir.empty", place)

    def _check_choice(
        self, label: str, names: frozenset[str], value: Json, place: Place, findings: Findings
    ) -> None:
        """`valueString` and its twin `_valueString` are one choice, not two."""
        if len({name.removeprefix("_") for name in names & value.keys()}) > 1:
            findings.add("structure", "fhir.several-choices", below(place, label))

    def _compiled(self) -> Table:
        table = compile_table(self._type, self._path)
        self._table = table
        return table


def refuse_shape(value: object, place: Place, findings: Findings) -> None:
    if value is None:
        findings.add("structure", "fhir.null", place)
    elif type(value) is list:
        findings.add("structure", "fhir.not-repeatable", place)
    else:
        findings.add("structure", "fhir.not-an-object", place)


@cache
def structure(type_name: str, path: str = "") -> Structure:
    return Structure(type_name, path)


def compile_table(type_name: str, path: str) -> Table:
    parts = definitions.children(type_name, path)
    made: dict[str, Field] = {}
    if not path and type_name in RESOURCE_TYPES:
        made["resourceType"] = fields.ignored
    for element in parts:
        for name, kind in json_kinds(element).items():
            made.update(fields_of(type_name, element, name, kind))
    return Table(
        fields=made,
        required=tuple((one.name, keys(one)) for one in parts if one.minimum > 0),
        choices=tuple((one.name, keys(one)) for one in parts if one.is_choice),
        rules=invariants.rules_for(type_name, path),
    )


def json_kinds(element: Element) -> dict[str, TypeRef | None]:
    """JSON key → type; the type is None where the element shares the content of another."""
    kinds: dict[str, TypeRef | None] = {**element.json_names()}
    return kinds or {element.name: None}


def keys(element: Element) -> frozenset[str]:
    names = json_kinds(element)
    twins = {f"_{name}" for name, kind in names.items() if kind is not None and kind.is_primitive}
    return frozenset(names) | twins


def fields_of(
    type_name: str, element: Element, name: str, kind: TypeRef | None
) -> dict[str, Field]:
    """The key that carries the element and, for a primitive, the key of its twin."""
    label = f"{element.name}.ofType({kind.code})" if element.is_choice and kind else name
    if element.maximum == "0":
        return {name: fields.forbidden(label)}
    if kind is None:
        return {name: complex_field(label, element, structure(type_name, str(element.content)))}
    if kind.code == "Resource":
        return {name: resource_field(label, element)}
    if kind.code == "xhtml":
        return {name: fields.one(label, check_div, None)}
    if kind.is_primitive:
        return primitive_fields(label, element, name, kind)
    if kind.code in {"BackboneElement", "Element"}:
        return {name: complex_field(label, element, structure(type_name, element.path))}
    return {name: typed_field(label, element, kind)}


def primitive_fields(label: str, element: Element, name: str, kind: TypeRef) -> dict[str, Field]:
    codes = bindings.all_codes(element.value_set) if element.value_set else None
    test, twin = TESTS[kind.code], structure("Element").check
    if element.repeats:
        return {
            name: fields.primitives(label, kind.code, test, codes),
            f"_{name}": fields.twin_array(label, twin),
        }
    return {
        name: fields.primitive(label, kind.code, test, codes),
        f"_{name}": fields.twin_object(label, name, twin),
    }


def typed_field(label: str, element: Element, kind: TypeRef) -> Field:
    """A value of a data type, with what this element asks of it besides."""
    rule = bindings.rule_for(kind.code, element.value_set)
    if kind.code == "Reference":
        rule = references.rule_for(kind.targets)
    if kind.code == "Extension":
        rule = check_extension
    check = structure(kind.structure).check
    return (fields.many if element.repeats else fields.one)(label, check, rule)


def complex_field(label: str, element: Element, inner: Structure) -> Field:
    return (fields.many if element.repeats else fields.one)(label, inner.check, None)


def resource_field(label: str, element: Element) -> Field:
    check = check_contained if element.path == "contained" else check_resource
    return (fields.many if element.repeats else fields.one)(label, check, None)


def check_resource(value: object, place: Place, findings: Findings) -> None:
    """A whole resource inside another: an entry of a Bundle, a parameter."""
    kind = known_type(value, place, findings)
    if kind is None:
        return
    outer, findings.local = findings.local, []
    structure(kind).check(value, place, findings)
    references.check_local(value, findings)
    findings.local = outer


def known_type(value: object, place: Place, findings: Findings) -> str | None:
    if not isinstance(value, dict):
        refuse_shape(value, place, findings)
        return None
    kind = value.get("resourceType")
    if isinstance(kind, str) and kind in RESOURCE_TYPES:
        return kind
    findings.add("structure", "fhir.unknown-resource-type", below(place, "resourceType"))
    return None


def check_contained(value: object, place: Place, findings: Findings) -> None:
    """A contained resource contains none itself (invariants dom-2, dom-4, dom-5)."""
    if isinstance(value, dict):
        invariants.check_contained_meta(value, place, findings)
        if "contained" in value:
            findings.add("structure", "fhir.nested-contained", below(place, "contained"))
    if kind := known_type(value, place, findings):
        structure(kind).check(value, place, findings)
