"""Small profiles whose elements are sliced, written as R4 §5.1.0.9 speaks of them."""

from __future__ import annotations

from typing import Any

from tests.fhir.profiles.held_against import Data, Told, definition, shelved, told

LOINC = "http://loinc.org"


def element(path: str, slice_name: str | None = None, **more: Any) -> Data:
    named = {"sliceName": slice_name} if slice_name else {}
    return {"path": path} | named | more


def sliced(path: str, *by: tuple[str, str], rules: str = "open", **more: Any) -> Data:
    told_by = [{"type": kind, "path": where} for kind, where in by]
    return element(path, slicing={"discriminator": told_by, "rules": rules} | more)


def coding(code: str, system: str = LOINC) -> Data:
    return {"coding": [{"system": system, "code": code}]}


def component(code: str, **more: Any) -> Data:
    return {"code": coding(code)} | more


def observation(**more: Any) -> Data:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}} | more


def components(*codes: str) -> Data:
    return observation(component=[component(one) for one in codes])


def patient(**more: Any) -> Data:
    return {"resourceType": "Patient"} | more


def slice_of_component(name: str, code: str, **more: Any) -> list[Data]:
    return [
        element("Observation.component", name, **more),
        element("Observation.component.code", patternCodeableConcept=coding(code)),
    ]


def two_components(rules: str, **more: Any) -> list[Data]:
    return [
        sliced("Observation.component", ("pattern", "code"), rules=rules, **more),
        *slice_of_component("systolic", "8480-6", min=1, max="1"),
        *slice_of_component("diastolic", "8462-4", max="1"),
    ]


def error(key: str, path: str) -> Told:
    return ("error", key, path)


C = "Observation.component"
Case = tuple[str, list[Data], Data, list[Told]]


BY_ENTRY_TYPE = [
    sliced("Bundle.entry", ("type", "resource"), rules="closed"),
    element("Bundle.entry", "patient", min=1, max="1"),
    element("Bundle.entry.resource", type=[{"code": "Patient"}]),
    element("Bundle.entry", "seen"),
    element("Bundle.entry.resource", type=[{"code": "Observation"}]),
]


def holds(elements: list[Data], instance: Data, expected: list[Told]) -> bool:
    """Whether the instance is told exactly that by a profile of these elements."""
    systolic = definition("systolic", "Observation", element(
        "Observation.code", patternCodeableConcept=coding("8480-6")))  # fmt: skip
    profile = definition("it", instance["resourceType"], *elements)
    return told(shelved(systolic, profile), "it", instance) == expected
