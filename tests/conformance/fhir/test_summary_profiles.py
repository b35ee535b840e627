"""HL7 IPS 2.0.0: every summary this server makes fits Bundle-uv-ips, whatever the record lacks."""

from __future__ import annotations

import json
import zipfile
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from tests.conformance.fhir.test_ips_profiles import load_ips
from tests.conformance.fhir.test_summary import OF_P, RECORD, measured, put, summary
from tests.fhir.profiles.package_files import IPS as PACKAGE
from tests.fhir.resources import Data, patient

from serai.fhir.operations.summary.asking import IPS
from serai.fhir.profiles import validate
from serai.fhir.store import FhirStore
from serai.platform.db import Database

pytestmark = pytest.mark.skipif(not PACKAGE.is_dir(), reason="needs `make setup` (node_modules)")
SYNTHEA = Path("demo/records/synthea.zip")
ACTIVE = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
            "code": "active",
        }
    ]
}
ANSWERS = {"system": "http://loinc.org", "code": "LA18978-9"}


async def errors(db: Database, fhir: httpx.AsyncClient, id: str) -> list[str]:
    answer = await fhir.get(f"Patient/{id}/$summary")
    assert answer.status_code == 200, answer.text
    data = json.loads(answer.text, parse_float=Decimal)
    async with db.connection() as connection:
        issues = await validate(connection, data, [IPS])
    # A profile that is not here could not be asked.
    assert not [one for one in issues if one.details.get("profile") == IPS]
    return [f"{one.path} {one.key}" for one in issues if one.severity == "error"]


def smoking(id: str, day: str) -> Data:
    return measured(
        id,
        "social-history",
        code="72166-2",
        effectiveDateTime=day,
        valueCodeableConcept={"coding": [ANSWERS]},
    )


RICH: list[Data] = [
    *RECORD,
    smoking("s1", "2020-01-01"),
    smoking("s2", "2024-01-01"),
    measured("phq", "survey", valueInteger=4),
    measured("lmp", "social-history", code="82810-3"),
    {"resourceType": "AllergyIntolerance", "id": "a", "patient": OF_P, "clinicalStatus": ACTIVE},
    {"resourceType": "Procedure", "id": "pr", "status": "completed", "subject": OF_P},
    {"resourceType": "CarePlan", "id": "cp", "status": "active", "intent": "plan", "subject": OF_P},
]


async def test_a_summary_of_anybody_fits_the_ips(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore, tmp_path: Path
) -> None:
    await load_ips(db, tmp_path)
    nameless = {"resourceType": "Patient", "id": "use", "name": [{"use": "official"}]}
    await put(db, store, {"resourceType": "Patient", "id": "empty"}, nameless, *RICH)
    found = {id: await errors(db, fhir, id) for id in ("empty", "use", "p")}
    assert found == {"empty": [], "use": [], "p": []}
    for name in ("0-practitioners.json", "QS100203.json"):
        bundle = zipfile.ZipFile(SYNTHEA).read(name)
        headers = {"content-type": "application/fhir+json"}
        answer = await fhir.post("", content=bundle, headers=headers)
        assert answer.status_code == 200, answer.text
    locations = [one["response"]["location"] for one in answer.json()["entry"]]
    (id,) = [one.split("/")[1] for one in locations if one.startswith("Patient/")]
    assert await errors(db, fhir, id) == []


async def test_what_is_not_known_of_the_patient_is_said_to_be_unknown(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    await put(db, store, {"resourceType": "Patient", "id": "p", "gender": "female"})
    bundle, _ = await summary(fhir)
    shown = bundle["entry"][1]["resource"]
    assert shown["gender"] == "female"
    assert shown["_birthDate"]["extension"][0]["valueCode"] == "unknown"
    assert shown["name"][0]["_text"]["extension"][0]["valueCode"] == "unknown"


async def test_of_tobacco_use_only_the_newest_is_shown(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    await put(db, store, *RICH)
    _, composition = await summary(fhir)
    (social,) = [one for one in composition["section"] if one["title"] == "Social history"]
    assert [one["reference"].split("/")[-1] for one in social["entry"]] == ["s2"]
    assert "Only the 1 newest of 2 are shown." in social["text"]["div"]


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Only the 100 newest of 101"), ("zh", "共 101 条")]
)
async def test_a_section_that_is_cut_says_so(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore, language: str, words: str
) -> None:
    many = [measured(f"o{at}", "vital-signs") for at in range(101)]
    await put(db, store, patient(id="p"), *many)
    _, composition = await summary(fhir, f"?language={language}")
    (vitals,) = [one for one in composition["section"] if one.get("entry")]
    assert len(vitals["entry"]) == 100
    assert words in vitals["text"]["div"]
