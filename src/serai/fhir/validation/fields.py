"""How one JSON key of an object is checked. Each maker returns a closure, compiled once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

from serai.fhir.validation.bindings import Rule
from serai.fhir.validation.findings import Findings, Place, below
from serai.fhir.validation.primitives import Test

Json = dict[str, object]
# (value, the object that holds it, that object's place, where to report)
Field = Callable[[object, Json, Place, Findings], None]
Check = Callable[[object, Place, Findings], None]


def ignored(_value: object, _owner: Json, _place: Place, _findings: Findings) -> None:
    """A key that something else has checked already."""


def forbidden(label: str) -> Field:
    """An element that this profile of the type leaves out (maximum 0)."""

    def field(_value: object, _owner: Json, place: Place, findings: Findings) -> None:
        findings.add("structure", "fhir.not-allowed-here", below(place, label))

    return field


def primitive(label: str, type_code: str, test: Test, codes: frozenset[str] | None) -> Field:
    def field(value: object, _owner: Json, place: Place, findings: Findings) -> None:
        if not test(value):
            refuse_primitive(value, type_code, below(place, label), findings)
        elif codes is not None and value not in codes:
            findings.add("code-invalid", "fhir.code-not-allowed", below(place, label))

    return field


def primitives(label: str, type_code: str, test: Test, codes: frozenset[str] | None) -> Field:
    """An array of primitives; null stands where only the `_label` twin has something to say."""
    twin = f"_{label}"

    def field(value: object, owner: Json, place: Place, findings: Findings) -> None:
        if not is_filled_array(value, below(place, label), findings):
            return
        for index, item in enumerate(value):
            if item is None:
                if not has_item(owner.get(twin), index):
                    findings.add("structure", "fhir.null", below(place, label, index))
            elif not test(item):
                refuse_primitive(item, type_code, below(place, label, index), findings)
            elif codes is not None and item not in codes:
                findings.add("code-invalid", "fhir.code-not-allowed", below(place, label, index))

    return field


def twin_object(label: str, name: str, check: Check) -> Field:
    """`_birthDate`: the id and extensions of a primitive (R4 §2.6.2.3)."""

    def field(value: object, owner: Json, place: Place, findings: Findings) -> None:
        check(value, below(place, label), findings)
        if name not in owner and is_only_an_id(value):
            findings.add("structure", "fhir.empty", below(place, label))

    return field


def twin_array(label: str, check: Check) -> Field:
    """`_given`: as long as `given`, with null where a value has neither id nor extension."""

    def field(value: object, owner: Json, place: Place, findings: Findings) -> None:
        if not is_filled_array(value, below(place, label), findings):
            return
        values = owner.get(label)
        if isinstance(values, list) and len(values) != len(value):
            findings.add("structure", "fhir.twins-differ", below(place, label))
        if values is None and None in value:
            findings.add("structure", "fhir.null", below(place, label))
        for index, item in enumerate(value):
            if item is not None:
                check(item, below(place, label, index), findings)
            if is_only_an_id(item) and not has_item(values, index):
                findings.add("structure", "fhir.empty", below(place, label, index))

    return field


def one(label: str, check: Check, rule: Rule | None) -> Field:
    def field(value: object, _owner: Json, place: Place, findings: Findings) -> None:
        here = (place, label, None, place[3] + 1)
        check(value, here, findings)
        if rule is not None and type(value) is dict:
            rule(value, here, findings)

    return field


def many(label: str, check: Check, rule: Rule | None) -> Field:
    def field(value: object, _owner: Json, place: Place, findings: Findings) -> None:
        if not is_filled_array(value, below(place, label), findings):
            return
        for index, item in enumerate(value):
            here = (place, label, index, place[3] + 1)
            check(item, here, findings)
            if rule is not None and type(item) is dict:
                rule(item, here, findings)

    return field


def is_filled_array(value: object, place: Place, findings: Findings) -> TypeGuard[list[object]]:
    if type(value) is not list:
        findings.add("structure", "fhir.not-an-array", place)
        return False
    if not value:
        findings.add("structure", "fhir.empty", place)
        return False
    return True


def refuse_primitive(value: object, type_code: str, place: Place, findings: Findings) -> None:
    if value is None:
        findings.add("structure", "fhir.null", place)
    elif type(value) is list:
        findings.add("structure", "fhir.not-repeatable", place)
    elif type(value) is dict:
        findings.add("structure", "fhir.bad-value", place, type=type_code)
    else:
        findings.add("value", "fhir.bad-value", place, type=type_code)


def has_item(array: object, index: int) -> bool:
    return isinstance(array, list) and index < len(array) and array[index] is not None


def is_only_an_id(twin: object) -> bool:
    """Which names a value, and so says nothing where there is no value."""
    return isinstance(twin, dict) and twin.keys() == {"id"}
