"""$validate tells, and stores nothing."""

from __future__ import annotations

from typing import Any

import httpx
from tests.fhir.profiles.held_against import definition
from tests.fhir.terminology.vocabulary import ILLNESSES, ILLS, filtered, keep, value_set

from serai.fhir.store import FhirStore
from serai.fhir.terminology.keeping import register_guards
from serai.platform.db import Database

PATIENT = {"resourceType": "Patient", "id": "p", "gender": "female"}
NAMED = "http://example.org/StructureDefinition/named"
NAMED_PATIENT = {
    "resourceType": "StructureDefinition", "id": "named", "url": NAMED, "name": "Named",
    "status": "active", "kind": "resource", "abstract": False, "type": "Patient",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "derivation": "constraint",
    "snapshot": {"element": [
        {"id": "Patient", "path": "Patient", "min": 0, "max": "*"},
        {"id": "Patient.name", "path": "Patient.name", "min": 1, "max": "1",
         "type": [{"code": "HumanName"}]},
    ]},
}  # fmt: skip


async def told(fhir: httpx.AsyncClient, address: str, body: Any) -> list[tuple[str, str]]:
    answer = await fhir.post(address, json=body, headers={"content-type": "application/fhir+json"})
    assert answer.status_code == 200, answer.text
    issues = answer.json()["issue"]
    return [(one["severity"], *one.get("expression", [""])) for one in issues]


async def test_a_good_patient_is_all_ok_and_not_stored(fhir: httpx.AsyncClient) -> None:
    assert await told(fhir, "Patient/$validate", PATIENT) == [("information", "")]
    assert (await fhir.get("Patient/p")).status_code == 404


async def test_a_wrong_code_is_an_error_at_its_place(fhir: httpx.AsyncClient) -> None:
    wrong = PATIENT | {"gender": "f"}
    assert await told(fhir, "Patient/$validate", wrong) == [("error", "Patient.gender")]


async def test_a_profile_is_asked_for_by_name_or_claimed(fhir: httpx.AsyncClient) -> None:
    await fhir.put("StructureDefinition/named", json=NAMED_PATIENT,
                   headers={"content-type": "application/fhir+json"})  # fmt: skip
    asked = {"resourceType": "Parameters", "parameter": [
        {"name": "resource", "resource": PATIENT}, {"name": "profile", "valueUri": NAMED},
    ]}  # fmt: skip
    missing = [("error", "Patient.name")]
    assert await told(fhir, "Patient/$validate", asked) == missing
    claimed = PATIENT | {"meta": {"profile": [NAMED]}}
    assert await told(fhir, "Patient/$validate", claimed) == missing
    changed = NAMED_PATIENT | {"snapshot": {"element": NAMED_PATIENT["snapshot"]["element"][:1]}}  # type: ignore[index]
    await fhir.put("StructureDefinition/named", json=changed,
                   headers={"content-type": "application/fhir+json"})  # fmt: skip
    assert await told(fhir, "Patient/$validate", claimed) == [("information", "")]


async def test_a_bound_value_set_is_asked_of_the_terminology(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    register_guards(store)
    kinds = value_set("http://example.org/kinds", filtered("descendent-of", "diabetes"))
    code = {
        "id": "Condition.code",
        "path": "Condition.code",
        "min": 1,
        "max": "1",
        "type": [{"code": "CodeableConcept"}],
        "binding": {"strength": "required", "valueSet": kinds["url"]},
    }
    root = {"id": "Condition", "path": "Condition", "min": 0, "max": "*"}
    profile = NAMED_PATIENT | {
        "type": "Condition",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Condition",
        "snapshot": {"element": [root, code]},
    }
    await keep(db, store, ILLNESSES, kinds, profile)
    for wanted, expected in (
        ("t2k", ("information", "")),
        ("meniere", ("error", "Condition.code")),
    ):
        sick = {
            "resourceType": "Condition",
            "meta": {"profile": [NAMED]},
            "code": {"coding": [{"system": ILLS, "code": wanted}]},
            "subject": {"reference": "Patient/p"},
        }
        found = await told(fhir, "Condition/$validate", sick)
        assert [one for one in found if one[0] != "warning"] == [expected]


async def test_a_profile_with_only_a_differential_counts_with_those_it_is_derived_from(
    fhir: httpx.AsyncClient,
) -> None:
    named = definition("named", "Patient", {"path": "Patient.name", "min": 1})
    married = definition(
        "married", "Patient", {"path": "Patient.contact.name", "min": 1}, base=named["url"]
    )
    for one in (named, married):
        answer = await fhir.put(
            f"StructureDefinition/{one['id']}", json=one,
            headers={"content-type": "application/fhir+json"},
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
    claimed = PATIENT | {"meta": {"profile": [married["url"]]}}
    contact = {"contact": [{"telecom": [{"system": "phone", "value": "1"}]}]}
    assert await told(fhir, "Patient/$validate", claimed | contact) == [
        ("error", "Patient.name"),
        ("error", "Patient.contact[0].name"),
    ]
    whole = {"name": [{"family": "A"}], "contact": [{"name": {"family": "B"}}]}
    assert await told(fhir, "Patient/$validate", claimed | whole) == [("information", "")]


async def test_an_unknown_profile_is_not_passed_in_silence(fhir: httpx.AsyncClient) -> None:
    claimed = PATIENT | {"meta": {"profile": [NAMED]}}
    assert await told(fhir, "Patient/$validate", claimed) == [("warning", "Patient")]
