"""R4 §5.1.0.9 Slicing: which slice an item belongs to, how many each holds, and in which order.

Each case states the differential of a profile, an instance, and every issue it is to be told.
"""

from __future__ import annotations

import pytest
from tests.fhir.profiles.held_against import EXAMPLE, Data, Told
from tests.fhir.profiles.slices import (
    BY_ENTRY_TYPE,
    LOINC,
    C,
    Case,
    coding,
    component,
    components,
    element,
    error,
    holds,
    observation,
    patient,
    slice_of_component,
    sliced,
    two_components,
)

RULES: list[Case] = [
    ("open allows others", two_components("open"), components("8480-6", "1-8"), []),
    (
        "a slice has a least number",
        two_components("open"),
        components("8462-4"),
        [error("slice-missing", C)],
    ),
    (
        "a slice has a least number even where there is nothing at all",
        two_components("open"),
        observation(),
        [error("slice-missing", C)],
    ),
    (
        "a slice has a most number",
        two_components("open"),
        components("8480-6", "8462-4", "8462-4"),
        [error("slice-too-many", C)],
    ),
    (
        "closed allows no others",
        two_components("closed"),
        components("8480-6", "1-8"),
        [error("no-slice", f"{C}[1]")],
    ),
    (
        "openAtEnd wants others last",
        two_components("openAtEnd"),
        components("8480-6", "1-8", "8462-4", "1-9"),
        [error("not-at-end", f"{C}[1]")],
    ),
    ("openAtEnd", two_components("openAtEnd"), components("8480-6", "8462-4", "1-9"), []),
    (
        "unordered takes any order",
        two_components("open"),
        components("8462-4", "8480-6"),
        [],
    ),
    (
        "ordered wants the order of the profile",
        two_components("open", ordered=True),
        components("8462-4", "1-8", "8480-6"),
        [error("order", f"{C}[2]")],
    ),
    (
        "ordered, in order",
        two_components("open", ordered=True),
        components("8480-6", "1-8", "8462-4"),
        [],
    ),
    (
        "a slice adds rules for its own items only",
        [
            *two_components("open"),
            element(f"{C}.interpretation", id=f"{C}:systolic.interpretation", min=1),
        ],
        observation(component=[component("8480-6"), component("8462-4")]),
        [error("too-few", f"{C}[0].interpretation")],
    ),
    (
        "what is said of the whole list holds in a slice too",
        [
            sliced(C, ("pattern", "code")),
            element(f"{C}.interpretation", max="0"),
            *slice_of_component("systolic", "8480-6"),
        ],
        observation(component=[component("8480-6", interpretation=[{"text": "high"}])]),
        [error("not-allowed", f"{C}[0].interpretation")],
    ),
]  # fmt: skip

BY_SYSTEM = [
    sliced("Patient.identifier", ("value", "system")),
    element("Patient.identifier", "mrn", max="1"),
    element("Patient.identifier.system", fixedUri="urn:mrn"),
]
BY_USE_AND_SYSTEM = [
    sliced("Patient.telecom", ("value", "use"), ("value", "system"), rules="closed"),
    element("Patient.telecom", "homePhone"),
    element("Patient.telecom.system", fixedCode="phone"),
    element("Patient.telecom.use", fixedCode="home"),
]
BY_EXISTENCE = [
    sliced("Patient.identifier", ("exists", "assigner"), rules="closed"),
    element("Patient.identifier", "assigned"),
    element("Patient.identifier.assigner", min=1),
    element("Patient.identifier.value", min=1),
    element("Patient.identifier", "bare"),
    element("Patient.identifier.assigner", max="0"),
    element("Patient.identifier.period", max="0"),
]
BY_TYPE = [
    sliced("Observation.value[x]", ("type", "$this"), rules="closed"),
    element("Observation.value[x]", "valueQuantity", type=[{"code": "Quantity"}]),
    element("Observation.value[x].unit", min=1),
    element("Observation.value[x]", "valueString", type=[{"code": "string"}], maxLength=3),
]
BY_TARGET_TYPE = [
    sliced("Observation.performer", ("type", "resolve()"), rules="closed"),
    element(
        "Observation.performer",
        "person",
        max="1",
        type=[
            {
                "code": "Reference",
                "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Practitioner"],
            }
        ],
    ),
    element(
        "Observation.performer",
        "house",
        max="1",
        type=[
            {
                "code": "Reference",
                "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Organization"],
            }
        ],
    ),
]
BY_VALUE_BEYOND = [
    sliced("Observation.hasMember", ("value", "resolve().code.coding.code"), rules="closed"),
    element(
        "Observation.hasMember",
        "systolic",
        type=[{"code": "Reference", "targetProfile": [f"{EXAMPLE}systolic"]}],
    ),
]
BY_LESS = [
    sliced(C, ("pattern", "code"), ("pattern", "interpretation"), rules="closed"),
    element(C, "high", min=1),
    element(f"{C}.code", patternCodeableConcept=coding("8480-6")),
    element(f"{C}.interpretation", patternCodeableConcept=coding("H")),
    element(C, "any"),
    element(f"{C}.code", patternCodeableConcept=coding("8462-4")),
]
PATTERN_ABOVE = [
    sliced(C, ("value", "code.coding.code"), rules="closed"),
    *slice_of_component("systolic", "8480-6"),
]
BY_OFTYPE = [
    sliced(C, ("value", "value.ofType(CodeableConcept).coding.code"), rules="closed"),
    element(C, "yes", max="1"),
    element(
        f"{C}.value[x]", type=[{"code": "CodeableConcept"}], patternCodeableConcept=coding("Y")
    ),
]
BY_EXTENSION = [
    sliced(
        "Patient.contact", ("value", "extension('http://example.org/kin').value"), rules="closed"
    ),
    element("Patient.contact", "mother"),
    element(
        "Patient.contact.extension",
        slicing={"discriminator": [{"type": "value", "path": "url"}], "rules": "open"},
    ),
    element(
        "Patient.contact.extension",
        "kin",
        type=[{"code": "Extension", "profile": ["http://example.org/kin"]}],
    ),
    element("Patient.contact.extension.value[x]", fixedCode="mother"),
]
BY_SLICE_OF_CODING = [
    sliced(C, ("pattern", "code"), rules="closed"),
    element(C, "systolic"),
    sliced(f"{C}.code.coding", ("value", "system")),
    element(f"{C}.code.coding", "loinc", min=1),
    element(f"{C}.code.coding.system", fixedUri=LOINC),
    element(f"{C}.code.coding.code", fixedCode="8480-6"),
]
CODING_BY_VALUE = [
    sliced(C, ("value", "code.coding.code"), rules="closed"),
    *BY_SLICE_OF_CODING[1:],
]
BY_THIS = [
    sliced("Observation.category", ("pattern", "$this")),
    element(
        "Observation.category",
        "laboratory",
        min=1,
        max="1",
        patternCodeableConcept=coding("laboratory", "urn:c"),
    ),
]
BY_NOTHING = [
    element("Observation.category", slicing={"rules": "open"}),
    element("Observation.category", "laboratory", max="1",
            patternCodeableConcept=coding("laboratory", "urn:c")),
]  # fmt: skip
CATEGORY = coding("laboratory", "urn:c")
REFERENCES = [{"reference": "Practitioner/1"}, {"reference": "Organization/1"}]


def seen(code: str) -> Data:
    """A Bundle of an Observation that has another, with that code, as its member."""
    member = observation(id="m", code=coding(code))
    holder = observation(id="h", hasMember=[{"reference": "Observation/m"}])
    return holder | {"contained": [member], "hasMember": [{"reference": "#m"}]}


DISCRIMINATORS: list[Case] = [
    ("value", BY_SYSTEM, patient(identifier=[{"system": "urn:mrn"}, {"system": "urn:x"}]), []),
    (
        "value: counted",
        BY_SYSTEM,
        patient(identifier=[{"system": "urn:mrn"}, {"system": "urn:mrn"}]),
        [error("slice-too-many", "Patient.identifier")],
    ),
    (
        "value: all discriminators must agree",
        BY_USE_AND_SYSTEM,
        patient(telecom=[{"system": "phone", "use": "home"}, {"system": "phone", "use": "work"}]),
        [error("no-slice", "Patient.telecom[1]")],
    ),
    (
        "exists: there",
        BY_EXISTENCE,
        patient(identifier=[{"assigner": {"display": "A"}}]),
        [error("too-few", "Patient.identifier[0].value")],
    ),
    (
        "exists: not there",
        BY_EXISTENCE,
        patient(identifier=[{"value": "1", "period": {"start": "2020"}}]),
        [error("not-allowed", "Patient.identifier[0].period")],
    ),
    (
        "type of a choice",
        BY_TYPE,
        observation(valueQuantity={"value": 1}),
        [error("too-few", "Observation.value.ofType(Quantity).unit")],
    ),
    (
        "type of a choice: a primitive",
        BY_TYPE,
        observation(valueString="long"),
        [error("too-long", "Observation.value.ofType(string)")],
    ),
    (
        "type of a choice: no slice for it",
        BY_TYPE,
        observation(valueBoolean=True),
        [error("no-slice", "Observation.value.ofType(boolean)")],
    ),
    (
        "type of a resource",
        BY_ENTRY_TYPE,
        {"resourceType": "Bundle", "type": "collection", "entry": [
            {"resource": patient()}, {"resource": observation()},
            {"resource": {"resourceType": "Group"}}]},
        [error("no-slice", "Bundle.entry[2]")],
    ),
    (
        "type of a target",
        BY_TARGET_TYPE,
        observation(performer=[*REFERENCES, {"reference": "Organization/2"}]),
        [error("slice-too-many", "Observation.performer")],
    ),
    (
        "type of a target: no slice for it",
        BY_TARGET_TYPE,
        observation(performer=[*REFERENCES, {"reference": "Patient/2"}]),
        [error("no-slice", "Observation.performer[2]")],
    ),
    ("value beyond a reference", BY_VALUE_BEYOND, seen("8480-6"), []),
    (
        "value beyond a reference: another",
        BY_VALUE_BEYOND,
        seen("8462-4"),
        [error("no-slice", "Observation.hasMember[0]")],
    ),
    (
        "value beyond a reference that leads nowhere cannot be told",
        BY_VALUE_BEYOND,
        observation(hasMember=[{"reference": "Observation/elsewhere"}]),
        [("warning", "no-slice", "Observation.hasMember[0]")],
    ),
    ("ofType", BY_OFTYPE, observation(component=[
        component("1", valueCodeableConcept=coding("Y"))]), []),
    ("ofType: another type", BY_OFTYPE, observation(component=[
        component("1", valueString="Y")]), [error("no-slice", f"{C}[0]")]),
    ("extension()", BY_EXTENSION, patient(contact=[{"extension": [
        {"url": "http://example.org/kin", "valueCode": "mother"}]}]),
        [("information", "unknown", "Patient.contact[0].extension[0]")]),
    ("extension(): another", BY_EXTENSION, patient(contact=[{"extension": [
        {"url": "http://example.org/kin", "valueCode": "father"}]}]),
        [error("no-slice", "Patient.contact[0]")]),
    ("pattern: by a slice further down", BY_SLICE_OF_CODING, components("8480-6"), []),
    ("pattern: by a slice further down, another", BY_SLICE_OF_CODING, components("1-8"),
        [error("no-slice", f"{C}[0]")]),
    ("value: by a slice further down", CODING_BY_VALUE, components("8480-6"), []),
    ("value: by a slice further down, another", CODING_BY_VALUE, components("1-8"),
        [error("no-slice", f"{C}[0]")]),
    ("what a slice leaves open does not mark it", BY_LESS, components("8462-4"),
        [error("slice-missing", C)]),
    ("value: within the pattern of what is above", PATTERN_ABOVE, components("8480-6"), []),
    ("value: within the pattern of what is above, another", PATTERN_ABOVE, components("1-8"),
        [error("no-slice", f"{C}[0]")]),
    ("pattern of itself", BY_THIS, observation(category=[CATEGORY, {"text": "x"}]), []),
    ("pattern of itself: missing", BY_THIS, observation(category=[{"text": "x"}]),
        [error("slice-missing", "Observation.category")]),
    ("no discriminator: all that the slice says", BY_NOTHING,
        observation(category=[CATEGORY, CATEGORY]),
        [error("slice-too-many", "Observation.category")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("elements", "instance", "expected"),
    [pytest.param(*case, id=name) for name, *case in (*RULES, *DISCRIMINATORS)],
)
def test_slices(elements: list[Data], instance: Data, expected: list[Told]) -> None:
    assert holds(elements, instance, expected)
