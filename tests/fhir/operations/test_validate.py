"""$validate tells, and stores nothing."""

from __future__ import annotations

from typing import Any

import httpx

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


async def test_an_unknown_profile_is_not_passed_in_silence(fhir: httpx.AsyncClient) -> None:
    claimed = PATIENT | {"meta": {"profile": [NAMED]}}
    assert await told(fhir, "Patient/$validate", claimed) == [("warning", "Patient")]
