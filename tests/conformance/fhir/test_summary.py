"""Patient/$summary: the International Patient Summary (HL7 IPS 2.0.0)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, doctor, observation, patient

from serai.fhir import body
from serai.fhir.store import FhirStore, Write
from serai.fhir.validation import validate
from serai.fhir.validation.narrative import problem
from serai.kernel.actor import Actor, serai_itself
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNTY, LEAD = doctor("county"), doctor("lead")
OF_P = {"reference": "Patient/p"}
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


async def put(
    db: Database, store: FhirStore, *resources: Data, actor: Actor = serai_itself
) -> None:
    writes = [Write("PUT", one["resourceType"], one["id"], body.of(one)) for one in resources]
    async with db.transaction() as tx:
        await store.write(tx, writes, actor=actor, now=NOON)


def condition(id: str, text: str, status: str) -> Data:
    coding = {"coding": [{"system": CLINICAL, "code": status}]}
    return {
        "resourceType": "Condition",
        "id": id,
        "subject": OF_P,
        "code": {"text": text},
        "clinicalStatus": coding,
    }


def measured(id: str, category: str, **more: Any) -> Data:
    coded = [{"coding": [{"system": CATEGORY, "code": category}]}]
    return observation("Patient/p", id=id, category=coded, **more)


RECORD: list[Data] = [
    {"resourceType": "Organization", "id": "hospital", "name": "County hospital"},
    patient(
        id="p",
        birthDate="1970-01-01",
        managingOrganization={"reference": "Organization/hospital"},
        identifier=[{"system": "urn:mrn", "value": "7"}],
    ),
    condition("now", "高血压 <b>&", "active"),
    condition("then", "ปอดอักเสบ", "resolved"),
    {"resourceType": "Medication", "id": "m", "code": {"text": "Amlodipine 5 mg"}},
    {
        "resourceType": "MedicationStatement",
        "id": "ms",
        "status": "active",
        "subject": OF_P,
        "medicationReference": {"reference": "Medication/m"},
        "effectiveDateTime": "2024",
    },
    {
        "resourceType": "Immunization",
        "id": "i",
        "status": "completed",
        "vaccineCode": {"text": "BCG"},
        "patient": OF_P,
        "occurrenceDateTime": "1970-02",
    },
    measured("bp", "vital-signs", valueQuantity={"value": 120, "unit": "mmHg"}),
    measured("hb", "laboratory"),
    measured("wrong", "laboratory", status="entered-in-error"),
]
EXPECTED = {
    "10160-0": ["MedicationStatement/ms"],
    "48765-2": [],
    "11450-4": ["Condition/now"],
    "11369-6": ["Immunization/i"],
    "30954-2": ["Observation/hb"],
    "8716-3": ["Observation/bp"],
    "11348-0": ["Condition/then"],
}


async def summary(fhir: httpx.AsyncClient, query: str = "") -> tuple[Data, Data]:
    """The Bundle and its Composition."""
    answer = await fhir.get(f"Patient/p/$summary{query}")
    assert answer.status_code == 200, answer.text
    bundle: Data = answer.json()
    return bundle, bundle["entry"][0]["resource"]


def divs(composition: Data) -> list[str]:
    return [one["text"]["div"] for one in [composition, *composition["section"]]]


async def test_each_resource_stands_in_its_section(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    await put(db, store, *RECORD)
    bundle, composition = await summary(fhir)
    assert composition["type"]["coding"][0]["code"] == "60591-5"
    base = str(fhir.base_url)
    found = {
        one["code"]["coding"][0]["code"]: [
            entry["reference"].removeprefix(base) for entry in one.get("entry", [])
        ]
        for one in composition["section"]
    }
    assert found == EXPECTED
    for section in composition["section"]:
        assert ("entry" in section) != ("emptyReason" in section)
    assert composition["custodian"]["reference"] == f"{base}Organization/hospital"
    assert bundle["identifier"]["value"].startswith("urn:uuid:")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_it_is_a_valid_document_that_resolves_in_itself(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore, language: str
) -> None:
    await put(db, store, *RECORD)
    bundle, composition = await summary(fhir, f"?language={language}")
    assert validate(bundle) == []
    urls = [one["fullUrl"] for one in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    pointed = [composition["subject"], *composition["author"], composition["custodian"]]
    pointed += [one for section in composition["section"] for one in section.get("entry", [])]
    assert {one["reference"] for one in pointed} <= set(urls)
    assert f"{fhir.base_url}Medication/m" in urls
    assert [problem(div) for div in divs(composition)] == [None] * len(divs(composition))


async def test_the_narrative_speaks_every_script_and_escapes_what_people_typed(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    await put(db, store, *RECORD)
    _, composition = await summary(fhir, "?language=zh")
    text = "".join(divs(composition))
    for words in ("高血压 &lt;b&gt;&amp;", "ปอดอักเสบ", "Amlodipine 5 mg", "120 mmHg", "用药"):
        assert words in text + "".join(one["title"] for one in composition["section"])


async def test_it_holds_only_what_the_asker_may_read(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p"), actor=COUNTY)
    await put(db, store, condition("secret", "Private", "active"), actor=COUNTY)
    assert (await as_actor(LEAD).get("Patient/p/$summary")).status_code == 404
    async with db.transaction() as tx:
        await store.share(tx, "lead", ["Patient/p"], "Task/1", NOON)
    bundle, _ = await summary(as_actor(LEAD))
    kinds = [one["resource"]["resourceType"] for one in bundle["entry"]]
    assert kinds == ["Composition", "Patient", "Device"]
    assert "Private" not in str(bundle)


async def test_a_patient_is_found_by_identifier_and_other_profiles_are_refused(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    await put(db, store, *RECORD)
    assert (await fhir.get("Patient/$summary?identifier=urn:mrn|7")).status_code == 200
    assert (await fhir.get("Patient/$summary?identifier=urn:mrn|8")).status_code == 404
    for query in ("profile=http://example.org/other", "graph=true", "language=xx"):
        assert (await fhir.get(f"Patient/p/$summary?{query}")).status_code == 400
