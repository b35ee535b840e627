"""What a record can be found by."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from serai.fhir.definitions import elements
from serai.fhir.search.extract import index
from serai.fhir.search.indexed import (
    DateValue,
    Indexed,
    ReferenceValue,
    StringValue,
    TokenValue,
    UriValue,
)
from serai.fhir.store.rows import patients

EXAMPLES = Path(__file__).resolve().parents[3] / "node_modules" / "hl7.fhir.r4.examples"

LOINC = "http://loinc.org"
BASE = "https://serai.example/fhir"


def patients_of(found: Indexed, kind: str = "Observation") -> set[str]:
    return set(patients(kind, "p1" if kind == "Patient" else "o1", found, BASE))


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def an_observation(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "8867-4"}], "text": "Heart rate"},
        "subject": {"reference": "Patient/p1"},
        **more,
    }


def test_a_reading_is_found_by_its_code_status_and_patient() -> None:
    found = index(an_observation())
    assert TokenValue("code", LOINC, "8867-4") in found.tokens
    assert TokenValue("combo-code", LOINC, "8867-4") in found.tokens
    assert TokenValue("status", "http://hl7.org/fhir/observation-status", "final") in found.tokens
    assert TokenValue("_id", None, "o1") in found.tokens
    assert ReferenceValue("subject", "Patient", "p1", None) in found.references
    assert ReferenceValue("patient", "Patient", "p1", None) in found.references
    assert patients_of(found) == {"p1"}


def test_the_text_of_a_concept_is_no_token() -> None:
    assert not any("Heart" in token.code for token in index(an_observation()).tokens)


def test_a_subject_that_is_no_patient_is_no_patient() -> None:
    found = index(an_observation(subject={"reference": "Device/d1"}))
    assert ReferenceValue("subject", "Device", "d1", None) in found.references
    assert all(reference.param != "patient" for reference in found.references)
    assert patients_of(found) == set()


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("Patient/p1/_history/3", ReferenceValue("subject", "Patient", "p1", None)),
        (
            "https://other.example/fhir/Patient/p1",
            ReferenceValue("subject", "Patient", "p1", "https://other.example/fhir/Patient/p1"),
        ),
        (
            "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
            ReferenceValue("subject", None, None, "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        ),
        ("Pigeon/7", ReferenceValue("subject", None, None, "Pigeon/7")),
    ],
)
def test_a_reference_is_read_in_every_form(reference: str, expected: ReferenceValue) -> None:
    assert expected in index(an_observation(subject={"reference": reference})).references


def test_a_reference_into_the_resource_itself_is_not_indexed() -> None:
    assert index(an_observation(subject={"reference": "#p"})).references == ()


def test_a_logical_reference_is_found_by_its_identifier() -> None:
    found = index(an_observation(subject={"identifier": {"system": "urn:x", "value": "7"}}))
    assert TokenValue("subject:identifier", "urn:x", "7") in found.tokens


def test_a_patient_is_found_by_every_part_of_the_name() -> None:
    found = index(
        {
            "resourceType": "Patient",
            "id": "p1",
            "name": [{"family": "王", "given": ["小明"], "text": "王小明"}],
            "_birthDate": {"extension": []},
            "telecom": [{"system": "phone", "value": "138"}, {"system": "email", "value": "a@b"}],
            "deceasedDateTime": "2024",
        }
    )
    assert {value.value for value in found.strings if value.param == "name"} == {
        "王",
        "小明",
        "王小明",
    }
    assert StringValue("family", "王") in found.strings
    assert TokenValue("phone", None, "138") in found.tokens
    assert TokenValue("email", None, "a@b") in found.tokens
    assert TokenValue("phone", None, "a@b") not in found.tokens
    assert TokenValue("deceased", None, "true") in found.tokens
    assert DateValue("death-date", at(2024, 1, 1), at(2025, 1, 1)) in found.dates
    assert patients_of(found, kind="Patient") == {"p1"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "false"),
        ({"deceasedBoolean": False}, "false"),
        ({"deceasedBoolean": True}, "true"),
        ({"deceasedDateTime": "2020-01-01"}, "true"),
    ],
)
def test_the_living_and_the_dead_are_told_apart(more: dict[str, Any], expected: str) -> None:
    found = index({"resourceType": "Patient", **more})
    assert TokenValue("deceased", None, expected) in found.tokens


@pytest.mark.parametrize(
    ("effective", "low", "high"),
    [
        ({"effectiveDateTime": "2024-05"}, at(2024, 5, 1), at(2024, 6, 1)),
        ({"effectivePeriod": {"start": "2024-05-01"}}, at(2024, 5, 1), None),
        ({"effectivePeriod": {"end": "2024-05-01"}}, None, at(2024, 5, 2)),
        ({"effectiveTiming": {"event": ["2024-05-03", "2024-05-01"]}}, at(2024, 5, 1),
         at(2024, 5, 4)),
        (
            {"effectiveTiming": {"event": ["2024"], "repeat": {"boundsPeriod": {"start": "2023"}}}},
            at(2023, 1, 1),
            None,
        ),
    ],
)  # fmt: skip
def test_a_date_is_found_however_it_is_given(
    effective: dict[str, Any], low: datetime | None, high: datetime | None
) -> None:
    assert DateValue("date", low, high) in index(an_observation(**effective)).dates


def test_labels_are_found_on_any_resource() -> None:
    meta = {
        "tag": [{"system": "urn:t", "code": "x"}],
        "security": [{"code": "R"}],
        "profile": ["http://example.org/p|1.0"],
        "source": "urn:source",
        "lastUpdated": "2024-05-01T00:00:00.123Z",
    }
    found = index(an_observation(meta=meta))
    assert TokenValue("_tag", "urn:t", "x") in found.tokens
    assert TokenValue("_security", None, "R") in found.tokens
    assert UriValue("_source", "urn:source") in found.uris
    assert UriValue("_profile", "http://example.org/p|1.0") in found.uris
    assert [value.param for value in found.dates] == ["_lastUpdated"]


def test_a_canonical_is_found_with_and_without_its_version() -> None:
    response = {"resourceType": "QuestionnaireResponse", "questionnaire": "http://x.org/q|2"}
    urls = {one.url for one in index(response).references if one.param == "questionnaire"}
    assert urls == {"http://x.org/q|2", "http://x.org/q"}


def test_only_the_first_entry_of_a_document_is_its_composition() -> None:
    entries = [{"resource": {"resourceType": "Composition", "id": i}} for i in ("a", "b")]
    found = index({"resourceType": "Bundle", "type": "document", "entry": entries})
    assert [one.id for one in found.references if one.param == "composition"] == ["a"]


def test_related_artifacts_are_found_by_how_they_relate() -> None:
    library = {
        "resourceType": "Library",
        "relatedArtifact": [
            {"type": "depends-on", "resource": "http://x.org/a"},
            {"type": "predecessor", "resource": "http://x.org/b"},
        ],
    }
    found = {(one.param, one.url) for one in index(library).references}
    assert found == {("depends-on", "http://x.org/a"), ("predecessor", "http://x.org/b")}


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="needs `make setup` (node_modules)")
def test_every_example_of_hl7_can_be_indexed() -> None:
    for path in EXAMPLES.glob("*.json"):
        resource = json.loads(path.read_text(encoding="utf-8"))
        if "resourceType" in resource:
            index(resource)


def test_indexing_never_stumbles_over_what_a_resource_holds() -> None:
    for odd in (None, True, 1, "x", [], {}, [None], [[1]], {"coding": 1}, {"reference": 1}):
        for kind in ("Patient", "Observation", "Bundle", "Library", "Appointment"):
            for name in elements(kind):
                index({"resourceType": kind, name: odd})


def test_a_vital_sign_is_indexed_in_a_tenth_of_a_millisecond() -> None:
    reading = an_observation(
        category=[{"coding": [{"system": "urn:c", "code": "vital-signs"}]}],
        effectiveDateTime="2024-05-01T10:00:00+08:00",
        encounter={"reference": "Encounter/e1"},
        valueQuantity={"value": 72, "unit": "/min", "system": "urn:u", "code": "/min"},
    )
    index(reading)
    runs = []
    for _ in range(5):
        started = process_time()
        for _ in range(200):
            index(reading)
        runs.append((process_time() - started) / 200)
    assert min(runs) < 100e-6


def test_another_servers_patient_never_puts_a_record_into_our_patients_chart() -> None:
    here = {"resourceType": "Observation", "subject": {"reference": "Patient/p1"}}
    elsewhere = {
        "resourceType": "Observation",
        "subject": {"reference": "https://other.example/fhir/Patient/p1"},
    }
    ours = {
        "resourceType": "Observation",
        "subject": {"reference": f"{BASE}/Patient/p1"},
    }
    assert patients_of(index(here)) == {"p1"}
    assert patients_of(index(ours)) == {"p1"}
    assert patients_of(index(elsewhere)) == set()
