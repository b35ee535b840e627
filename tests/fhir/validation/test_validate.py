"""A resource that breaks the standard is told where and how."""

from __future__ import annotations

import copy
import re
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serai.fhir.validation import MESSAGES, validate
from serai.fhir.validation.invariants import INVARIANTS

SOURCE = Path(__file__).resolve().parents[3] / "src" / "serai" / "fhir" / "validation"
SAID = {"url": "urn:x", "valueCode": "unknown"}
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">text</div>'


def a_patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p1", **more}


def an_observation(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        **more,
    }


def found(resource: object) -> list[tuple[str, str, str]]:
    return [(issue.code, issue.key, issue.path) for issue in validate(resource)]


@pytest.mark.parametrize(
    "resource",
    [
        a_patient(),
        a_patient(name=[{"family": "王", "given": ["小", "明"]}], birthDate="1980-02"),
        a_patient(_birthDate={"extension": [{"url": "urn:x", "valueCode": "unknown"}]}),
        a_patient(
            name=[{"given": ["A", None], "_given": [{"id": "x"}, {"extension": [SAID]}]}],
            text={"status": "generated", "div": DIV},
        ),
        a_patient(name=[{"_given": [{"extension": [{"url": "urn:x", "valueCode": "a"}]}]}]),
        a_patient(deceasedBoolean=False, _deceasedBoolean={"id": "x"}),
        an_observation(valueQuantity={"value": Decimal("72.0"), "unit": "/min"}),
        an_observation(subject={"reference": "https://other.example/Pigeon/1"}),
        an_observation(subject={"reference": "#s"},
                       contained=[{"resourceType": "Patient", "id": "s"}]),
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": a_patient()}]},
        {"resourceType": "Parameters",
         "parameter": [{"name": "a", "part": [{"name": "b", "part": [{"name": "c"}]}]}]},
    ],
)  # fmt: skip
def test_a_conforming_resource_has_no_issue(resource: dict[str, Any]) -> None:
    assert validate(resource) == []


@pytest.mark.parametrize(
    ("resource", "issue"),
    [
        (a_patient(shoeSize=44), ("structure", "fhir.unknown-element", "Patient.shoeSize")),
        (
            a_patient(name=[{"family": "A", "middle": "B"}]),
            ("structure", "fhir.unknown-element", "Patient.name[0].middle"),
        ),
        (
            a_patient(_name=[{"id": "x"}]),
            ("structure", "fhir.unknown-element", "Patient._name"),
        ),
        (
            a_patient(name={"family": "A"}),
            ("structure", "fhir.not-an-array", "Patient.name"),
        ),
        (a_patient(name=[]), ("structure", "fhir.empty", "Patient.name")),
        (a_patient(name=[{}]), ("structure", "fhir.empty", "Patient.name[0]")),
        (a_patient(name=[{"id": "n"}]), ("structure", "fhir.empty", "Patient.name[0]")),
        (a_patient(name=["A"]), ("structure", "fhir.not-an-object", "Patient.name[0]")),
        (a_patient(name=[None]), ("structure", "fhir.null", "Patient.name[0]")),
        (a_patient(name=[[]]), ("structure", "fhir.not-repeatable", "Patient.name[0]")),
        (a_patient(active=None), ("structure", "fhir.null", "Patient.active")),
        (a_patient(active="true"), ("value", "fhir.bad-value", "Patient.active")),
        (a_patient(gender=["male"]), ("structure", "fhir.not-repeatable", "Patient.gender")),
        (a_patient(gender={"x": 1}), ("structure", "fhir.bad-value", "Patient.gender")),
        (a_patient(gender="boy"), ("code-invalid", "fhir.code-not-allowed", "Patient.gender")),
        (a_patient(birthDate="1980-02-30"), ("value", "fhir.bad-value", "Patient.birthDate")),
        (
            a_patient(name=[{"given": ["A", None]}]),
            ("structure", "fhir.null", "Patient.name[0].given[1]"),
        ),
        (a_patient(_birthDate={"id": "b"}), ("structure", "fhir.empty", "Patient.birthDate")),
        (
            a_patient(name=[{"_given": [{"id": "x"}]}]),
            ("structure", "fhir.empty", "Patient.name[0].given[0]"),
        ),
        (
            a_patient(name=[{"given": ["A"], "_given": [None, {"extension": [SAID]}]}]),
            ("structure", "fhir.twins-differ", "Patient.name[0].given"),
        ),
        (
            a_patient(deceasedBoolean=True, deceasedDateTime="2020"),
            ("structure", "fhir.several-choices", "Patient.deceased"),
        ),
        (
            a_patient(deceasedString="yes"),
            ("structure", "fhir.unknown-element", "Patient.deceasedString"),
        ),
        (
            a_patient(multipleBirthInteger="two"),
            ("value", "fhir.bad-value", "Patient.multipleBirth.ofType(integer)"),
        ),
        (
            a_patient(link=[{"type": "refer"}]),
            ("required", "fhir.missing", "Patient.link[0].other"),
        ),
        (
            a_patient(extension=[{"valueString": "x"}]),
            ("required", "fhir.missing", "Patient.extension[0].url"),
        ),
        (
            a_patient(extension=[{"url": "urn:x"}]),
            ("invariant", "fhir.extension-says-nothing", "Patient.extension[0]"),
        ),
        (
            a_patient(
                extension=[
                    {"url": "u", "valueCode": "x", "extension": [{"url": "v", "valueCode": "y"}]}
                ]
            ),
            ("invariant", "fhir.extension-value-and-extensions", "Patient.extension[0]"),
        ),
        (
            a_patient(contained=[a_patient(contained=[a_patient()])]),
            ("structure", "fhir.nested-contained", "Patient.contained[0].contained"),
        ),
        (
            a_patient(contained=[{"resourceType": "Pigeon"}]),
            ("structure", "fhir.unknown-resource-type", "Patient.contained[0].resourceType"),
        ),
        (
            a_patient(contained=[{"resourceType": "Basic", "id": "b"}]),
            ("required", "fhir.missing", "Patient.contained[0].code"),
        ),
        (
            a_patient(contained=[a_patient(meta={"versionId": "1"})]),
            ("invariant", "fhir.dom-4", "Patient.contained[0].meta.versionId"),
        ),
        (
            a_patient(managingOrganization={"reference": "Patient/1"}),
            ("value", "fhir.wrong-target", "Patient.managingOrganization.reference"),
        ),
        (
            a_patient(managingOrganization={"reference": "#gone"}),
            ("invariant", "fhir.ref-1", "Patient.managingOrganization.reference"),
        ),
        (
            a_patient(text={"status": "generated", "div": "<div>x</div>"}),
            ("invalid", "fhir.narrative-not-a-div", "Patient.text.div"),
        ),
        (
            a_patient(text={"status": "generated", "div": 1}),
            ("structure", "fhir.bad-value", "Patient.text.div"),
        ),
        (an_observation(status=None), ("structure", "fhir.null", "Observation.status")),
        (
            an_observation(subject={"reference": "Pigeon/1"}),
            ("value", "fhir.wrong-target", "Observation.subject.reference"),
        ),
        (
            an_observation(valueInteger=True),
            ("value", "fhir.bad-value", "Observation.value.ofType(integer)"),
        ),
        (
            an_observation(referenceRange=[{"low": {"value": 1, "comparator": "<"}}]),
            ("structure", "fhir.not-allowed-here", "Observation.referenceRange[0].low.comparator"),
        ),
        (
            {
                "resourceType": "AllergyIntolerance",
                "patient": {"reference": "Patient/1"},
                "clinicalStatus": {"coding": [{"system": "urn:x", "code": "active"}]},
            },
            (
                "code-invalid",
                "fhir.code-not-in-value-set",
                "AllergyIntolerance.clinicalStatus",
            ),
        ),
        (
            {
                "resourceType": "AllergyIntolerance",
                "patient": {"reference": "Patient/1"},
                "clinicalStatus": {"text": "active"},
            },
            (
                "code-invalid",
                "fhir.code-not-in-value-set",
                "AllergyIntolerance.clinicalStatus",
            ),
        ),
        (
            {
                "resourceType": "Questionnaire",
                "status": "draft",
                "item": [{"linkId": "1", "type": "group", "item": [{"linkId": "1.1"}]}],
            },
            ("required", "fhir.missing", "Questionnaire.item[0].item[0].type"),
        ),
        (
            {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": a_patient(gender="boy")}],
            },
            ("code-invalid", "fhir.code-not-allowed", "Bundle.entry[0].resource.gender"),
        ),
        ({"resourceType": "Pigeon"}, ("structure", "fhir.unknown-resource-type",
                                      "Pigeon.resourceType")),
        ({}, ("structure", "fhir.unknown-resource-type", "Resource.resourceType")),
        ([], ("structure", "fhir.not-repeatable", "Resource")),
    ],
)  # fmt: skip
def test_a_breach_is_named_with_its_place(resource: object, issue: tuple[str, str, str]) -> None:
    assert issue in found(resource)
    assert len(found(resource)) == 1


@pytest.mark.parametrize(
    ("resource", "key"),
    [
        (an_observation(valueInteger=1, dataAbsentReason={"text": "x"}), "fhir.obs-6"),
        (an_observation(effectivePeriod={"start": "2024-02", "end": "2024-01"}), "fhir.per-1"),
        (an_observation(valueQuantity={"value": 1, "code": "mg"}), "fhir.qty-3"),
        (a_patient(contact=[{"gender": "male"}]), "fhir.pat-1"),
        (a_patient(telecom=[{"value": "138"}]), "fhir.cpt-2"),
        (a_patient(photo=[{"data": "QQ=="}]), "fhir.att-1"),
        ({"resourceType": "Organization", "active": True}, "fhir.org-1"),
    ],
)
def test_an_invariant_that_does_not_hold_is_named(resource: dict[str, Any], key: str) -> None:
    assert [issue.key for issue in validate(resource)] == [key]


def test_a_period_within_one_day_may_start_and_end_on_it() -> None:
    period = {"start": "2024-05-01T10:00:00Z", "end": "2024-05-01"}
    assert validate(an_observation(effectivePeriod=period)) == []


def test_no_value_of_the_record_is_repeated_in_an_issue() -> None:
    issues = validate(a_patient(birthDate="Wang Xiaoming", gender="Wang Xiaoming"))
    assert issues
    assert "Xiaoming" not in repr(issues)


def test_hostile_nesting_is_refused_not_followed() -> None:
    item: dict[str, Any] = {"linkId": "x", "type": "group"}
    for _ in range(500):
        item = {"linkId": "x", "type": "group", "item": [item]}
    resource = {"resourceType": "Questionnaire", "status": "draft", "item": [item]}
    assert [issue.key for issue in validate(resource)] == ["fhir.too-deep"]


def test_a_flood_of_mistakes_is_cut_short() -> None:
    assert len(validate(a_patient(name=[{}] * 100_000))) == 100


def test_every_key_has_its_text() -> None:
    keys = {f"fhir.{key}" for held in INVARIANTS.values() for key in held}
    assert keys < MESSAGES.keys()
    said = "".join(path.read_text(encoding="utf-8") for path in SOURCE.glob("*.py"))
    assert set(re.findall(r'"(fhir\.[a-z][a-z-]*[a-z])"', said)) <= MESSAGES.keys()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text()
    | st.sampled_from(["Patient", "Patient/1", "#x", "2024", "male"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(
                [
                    "resourceType",
                    "id",
                    "contained",
                    "extension",
                    "coding",
                    "reference",
                    "_id",
                    "start",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)

RICH = a_patient(
    meta={"tag": [{"system": "urn:t", "code": "x"}], "lastUpdated": "2024-01-01T00:00:00Z"},
    text={"status": "generated", "div": DIV},
    contained=[{"resourceType": "Organization", "id": "o", "name": "X"}],
    extension=[{"url": "urn:x", "valuePeriod": {"start": "2024", "end": "2025"}}],
    name=[
        {"given": ["A", None], "_given": [None, {"extension": [SAID]}], "period": {"start": "2020"}}
    ],
    telecom=[{"system": "phone", "value": "1"}],
    deceasedBoolean=False,
    contact=[{"name": {"family": "B"}}],
    managingOrganization={"reference": "#o"},
    link=[{"other": {"reference": "Patient/2"}, "type": "refer"}],
)


def places(node: object) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON tree."""
    if isinstance(node, dict):
        return [(node, key) for key in node] + [p for one in node.values() for p in places(one)]
    if isinstance(node, list):
        return [(node, i) for i in range(len(node))] + [p for one in node for p in places(one)]
    return []


@given(JSON)
def test_any_json_at_all_is_judged_and_never_passes_for_a_patient(value: object) -> None:
    assert validate(value) or isinstance(value, dict)


@settings(max_examples=300)
@given(st.data(), JSON)
def test_a_patient_with_anything_anywhere_is_judged(data: st.DataObject, value: object) -> None:
    resource = copy.deepcopy(RICH)
    holder, key = data.draw(st.sampled_from(places(resource)))
    holder[key] = value
    for issue in validate(resource):
        assert issue.key in MESSAGES
        assert issue.severity == "error"


def test_the_rich_patient_itself_conforms() -> None:
    assert validate(RICH) == []


def test_a_vital_sign_is_validated_in_a_seventh_of_a_millisecond() -> None:
    reading = an_observation(
        category=[{"coding": [{"system": "urn:c", "code": "vital-signs"}]}],
        subject={"reference": "Patient/p1"},
        encounter={"reference": "Encounter/e1"},
        effectiveDateTime="2024-05-01T10:00:00+08:00",
        issued="2024-05-01T10:00:00.000+08:00",
        valueQuantity={"value": 72, "unit": "/min", "system": "urn:u", "code": "/min"},
    )
    assert validate(reading) == []
    runs = []
    for _ in range(5):
        started = process_time()
        for _ in range(200):
            validate(reading)
        runs.append((process_time() - started) / 200)
    assert min(runs) < 150e-6
