"""Observation/$lastn (R4 Observation §10.1.20.1)."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, doctor, observation, patient

from serai.fhir import body
from serai.fhir.operations.lastn import MOST
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import Actor, serai_itself
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def measured(id: str, code: str, day: str, subject: str = "Patient/p") -> Data:
    return observation(subject, code=code, id=id, effectiveDateTime=day)


RECORD = [
    patient(id="p"),
    patient(id="q"),
    measured("h1", "8867-4", "2024-01-01"),
    measured("h2", "8867-4", "2024-03-01"),
    measured("h3", "8867-4", "2024-02-01"),
    measured("w1", "29463-7", "2023-01-01"),
    measured("w2", "29463-7", "2022-01-01"),
    measured("other", "8867-4", "2025-01-01", "Patient/q"),
]
CASES = [
    ("patient=p", ["w1", "h2"]),
    ("patient=Patient/p&max=2", ["w1", "w2", "h2", "h3"]),
    ("subject=Patient/p&code=http://loinc.org|8867-4", ["h2"]),
    ("patient=p&code=8867-4,29463-7&max=1", ["w1", "h2"]),
    ("patient=p&category=laboratory", []),
    ("patient=q", ["other"]),
]


async def put(db: Database, store: FhirStore, resources: list[Data], actor: Actor) -> None:
    async with db.transaction() as tx:
        for one in resources:
            await store.update(tx, body.of(one), actor=actor, now=NOON)


@pytest.mark.parametrize(("query", "expected"), CASES)
async def test_of_each_code_the_newest_come_first(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore, query: str, expected: list[str]
) -> None:
    await put(db, store, RECORD, serai_itself)
    answer = await fhir.get(f"Observation/$lastn?{query}")
    assert answer.status_code == 200, answer.text
    assert [one["resource"]["id"] for one in answer.json().get("entry", [])] == expected


async def test_another_organisation_gets_none_and_everybody_is_refused(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    await put(db, store, RECORD, doctor("county"))
    lead = await as_actor(doctor("lead")).get("Observation/$lastn?patient=p")
    assert lead.json()["total"] == 0
    assert (await as_actor(doctor("lead")).get("Observation/$lastn")).status_code == 400


async def test_more_than_it_takes_at_once_is_told_and_not_counted(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    many = [measured(f"o{at}", f"c{at:04}", "2024-01-01") for at in range(MOST)]
    writes = [Write("PUT", one["resourceType"], one["id"], body.of(one)) for one in many]
    async with db.transaction() as tx:
        await store.write(tx, writes, actor=serai_itself, now=NOON)
    assert (await fhir.get("Observation/$lastn?patient=p")).json()["total"] == MOST
    await put(db, store, [measured("one-more", "one-more", "2024-01-01")], serai_itself)
    bundle = (await fhir.get("Observation/$lastn?patient=p")).json()
    assert len(bundle["entry"]) == MOST + 1
    assert "total" not in bundle
    assert bundle["entry"][-1]["search"]["mode"] == "outcome"
    issue = bundle["entry"][-1]["resource"]["issue"][0]
    assert (issue["severity"], issue["code"]) == ("warning", "too-costly")


async def test_a_composition_heads_its_document(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    composition: Data = {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "type": {"text": "Letter"},
        "subject": {"reference": "Patient/p"},
        "date": "2024",
        "author": [{"reference": "Practitioner/dr"}],
        "title": "Letter",
        "section": [{"title": "Pulse", "entry": [{"reference": "Observation/h1"}]}],
    }
    dr: Data = {"resourceType": "Practitioner", "id": "dr", "active": True}
    await put(db, store, [*RECORD, dr, composition], doctor("county"))
    answer = await as_actor(doctor("county")).get("Composition/c/$document")
    kinds = [one["resource"]["resourceType"] for one in answer.json()["entry"]]
    assert kinds[0] == "Composition"
    assert sorted(kinds[1:]) == ["Observation", "Patient", "Practitioner"]
    assert (await as_actor(doctor("lead")).get("Composition/c/$document")).status_code == 404
    kept = await as_actor(doctor("county")).get("Composition/c/$document?persist=true")
    assert kept.status_code == 400
