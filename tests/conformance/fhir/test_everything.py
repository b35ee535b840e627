"""Patient/$everything and Encounter/$everything (R4 Patient §8.1.15.1, Encounter §8.11.7)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, doctor, observation, patient

from serai.fhir import body
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import Actor, serai_itself
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNTY, LEAD = doctor("county"), doctor("lead")


async def put(
    db: Database, store: FhirStore, *resources: Data, actor: Actor = serai_itself
) -> None:
    writes = [Write("PUT", one["resourceType"], one["id"], body.of(one)) for one in resources]
    async with db.transaction() as tx:
        await store.write(tx, writes, actor=actor, now=NOON)


def named(bundle: Data) -> list[str]:
    return [
        f"{one['resource']['resourceType']}/{one['resource']['id']}"
        for one in bundle.get("entry", [])
    ]


async def all_pages(fhir: httpx.AsyncClient, address: str) -> list[list[str]]:
    """What every page holds, following next."""
    pages: list[list[str]] = []
    following: str | None = address
    while following:
        answer = await fhir.get(following)
        assert answer.status_code == 200, answer.text
        pages.append(named(answer.json()))
        links = {one["relation"]: one["url"] for one in answer.json()["link"]}
        following = links.get("next")
    return pages


def reference(text: str) -> dict[str, str]:
    return {"reference": text}


RECORD: list[Data] = [
    patient(id="p", managingOrganization=reference("Organization/hospital")),
    patient(id="q"),
    {
        "resourceType": "Organization",
        "id": "hospital",
        "name": "H",
        "partOf": reference("Organization/group"),
    },
    {"resourceType": "Organization", "id": "group", "name": "Group"},
    {"resourceType": "Organization", "id": "other", "name": "Not asked for"},
    {"resourceType": "Practitioner", "id": "dr", "active": True},
    {
        "resourceType": "PractitionerRole",
        "id": "role",
        "practitioner": reference("Practitioner/dr"),
        "organization": reference("Organization/hospital"),
    },
    {
        "resourceType": "Encounter",
        "id": "e",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": reference("Patient/p"),
        "period": {"start": "2020-02-03", "end": "2020-02-04"},
        "participant": [{"individual": reference("PractitionerRole/role")}],
    },
    observation("Patient/p", id="o1", encounter=reference("Encounter/e")),
    observation("Patient/p", id="o2", effectiveDateTime="2020-02-03"),
    observation("Patient/q", id="o3", performer=[reference("Organization/other")]),
]

ALL = {
    "Patient/p", "Encounter/e", "Observation/o1", "Observation/o2", "PractitionerRole/role",
    "Practitioner/dr", "Organization/hospital", "Organization/group",
}  # fmt: skip

CASES = [
    ("Patient/p/$everything", ALL),
    ("Patient/q/$everything", {"Patient/q", "Observation/o3", "Organization/other"}),
    ("Patient/p/$everything?_type=Observation", {"Observation/o1", "Observation/o2"}),
    ("Patient/p/$everything?_type=Observation,Practitioner",
     {"Observation/o1", "Observation/o2", "Practitioner/dr"}),
    ("Patient/p/$everything?start=2020-01-01&end=2020-12-31", ALL - {"Observation/o1"}),
    ("Patient/p/$everything?start=2024", {"Patient/p", "Observation/o1",
     "Organization/hospital", "Organization/group"}),
    ("Patient/p/$everything?_since=2026-11-24", set()),
    ("Encounter/e/$everything", {"Encounter/e", "Observation/o1", "Patient/p",
     "PractitionerRole/role", "Practitioner/dr", "Organization/hospital",
     "Organization/group"}),
]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
@pytest.mark.parametrize(("query", "expected"), CASES)
async def test_every_page_together_holds_each_resource_once(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore, query: str, expected: set[str],
    count: int,
) -> None:  # fmt: skip
    await put(db, store, *RECORD)
    pages = await all_pages(fhir, f"{query}{'&' if '?' in query else '?'}_count={count}")
    assert Counter(one for page in pages for one in page) == Counter(expected)
    assert all(len(page) <= count for page in pages)


async def test_the_patient_comes_first_and_bytes_are_as_stored(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    await put(db, store, *RECORD)
    answer = await fhir.get("Patient/p/$everything")
    first: dict[str, Any] = answer.json()["entry"][0]
    assert first["fullUrl"] == f"{str(fhir.base_url).rstrip('/')}/Patient/p"
    assert (await fhir.get("Patient/p")).content in answer.content


async def test_of_all_patients_one_follows_the_other(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    await put(db, store, *RECORD)
    pages = await all_pages(fhir, "Patient/$everything?_count=3")
    assert {one for page in pages for one in page} == ALL | {
        "Patient/q", "Observation/o3", "Organization/other",
    }  # fmt: skip
    assert all(len(set(page)) == len(page) for page in pages)


async def test_notes_of_another_organisation_about_a_shared_patient_stay_out(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p"), actor=COUNTY)
    await put(db, store, observation("Patient/p", id="county-only"), actor=COUNTY)
    async with db.transaction() as tx:
        await store.share(tx, "lead", ["Patient/p"], "Task/1", NOON)
    await put(db, store, observation("Patient/p", id="by-lead"), actor=LEAD)
    lead = await all_pages(as_actor(LEAD), "Patient/p/$everything?_count=1")
    assert lead == [["Patient/p"], ["Observation/by-lead"]]
    async with db.transaction() as tx:
        await store.close_shares(tx, "Task/1", NOON)
    assert (await as_actor(LEAD).get("Patient/p/$everything")).status_code == 404
    assert await all_pages(as_actor(LEAD), "Patient/$everything") == [[]]


async def test_a_deleted_patient_is_gone_and_an_unknown_one_not_found(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p"))
    await fhir.delete("Patient/p")
    assert (await fhir.get("Patient/p/$everything")).status_code == 410
    assert (await fhir.get("Patient/nobody/$everything")).status_code == 404


@pytest.mark.parametrize(
    "query", ["_count=0", "_count=x", "start=soon", "_type=Nonsense", "_cursor=x", "fast=true"]
)
async def test_what_is_not_understood_is_refused(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore, query: str
) -> None:
    await put(db, store, patient(id="p"))
    assert (await fhir.get(f"Patient/p/$everything?{query}")).status_code == 400


async def test_five_thousand_resources_come_in_pages_whatever_is_written_in_between(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    doctors: list[Data] = [{"resourceType": "Practitioner", "id": f"d{n}"} for n in range(40)]
    notes = [
        observation("Patient/p", id=f"n{n}", performer=[reference(f"Practitioner/d{n % 40}")])
        for n in range(5000)
    ]
    await put(db, store, patient(id="p"), *doctors, *notes)
    seen: Counter[str] = Counter()
    following: str | None = "Patient/p/$everything"
    turn = 0
    while following:
        answer = (await fhir.get(following)).json()
        assert len(answer["entry"]) <= 1000
        seen.update(named(answer))
        following = {one["relation"]: one["url"] for one in answer["link"]}.get("next")
        turn += 1
        await put(db, store, observation("Patient/p", id=f"a-new-one-{turn}"))
        await put(db, store, notes[turn * 7] | {"status": "amended"})
    there_all_the_time = {f"Observation/n{n}" for n in range(5000)}
    there_all_the_time |= {f"Practitioner/d{n}" for n in range(40)} | {"Patient/p"}
    assert there_all_the_time <= set(seen)
    assert max(seen.values()) == 1
