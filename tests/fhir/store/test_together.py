"""Reads that share a statement answer each client as if it had asked alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from psycopg_pool import PoolClosed
from tests.fhir.conftest import MACHINE, Client
from tests.fhir.resources import as_json, doctor, observation, patient

from serai.fhir.store import FhirStore, Reads
from serai.fhir.visibility import Rules, clause, rules_of
from serai.kernel.actor import Actor, Kind
from serai.kernel.errors import NotFound, Unavailable
from serai.platform.db import Database

JSON = {"content-type": "application/fhir+json"}


async def made(client: httpx.AsyncClient, count: int) -> list[str]:
    ids = []
    for number in range(count):
        answer = await client.post("Patient", content=as_json(patient(f"P{number}")), headers=JSON)
        ids.append(answer.json()["id"])
    return ids


async def test_many_reads_at_once_each_get_their_own_resource(fhir: httpx.AsyncClient) -> None:
    ids = await made(fhir, 12)
    answers = await asyncio.gather(*(fhir.get(f"Patient/{id}") for id in ids * 3))
    assert [one.json()["id"] for one in answers] == ids * 3


async def test_in_one_batch_the_missing_and_the_deleted_are_told_apart(
    fhir: httpx.AsyncClient,
) -> None:
    there, gone = await made(fhir, 2)
    await fhir.delete(f"Patient/{gone}")
    answers = await asyncio.gather(*(fhir.get(f"Patient/{id}") for id in (there, gone, "never")))
    assert [one.status_code for one in answers] == [200, 410, 404]


async def test_two_hospitals_that_read_at_once_see_only_their_own(as_actor: Client) -> None:
    north, south = as_actor(doctor("north")), as_actor(doctor("south"))
    (patient_of_north,) = await made(north, 1)
    (patient_of_south,) = await made(south, 1)
    answers = await asyncio.gather(
        *(
            client.get(f"Patient/{id}")
            for client in (north, south)
            for id in (patient_of_north, patient_of_south)
        )
    )
    assert [one.status_code for one in answers] == [200, 404, 404, 200]


async def test_patients_who_read_at_once_see_only_their_own(
    fhir: httpx.AsyncClient, as_actor: Client
) -> None:
    ids = await made(fhir, 2)
    readers = [as_actor(_himself(id)) for id in ids]
    answers = await asyncio.gather(
        *(client.get(f"Patient/{id}") for client in readers for id in ids)
    )
    assert [one.status_code for one in answers] == [200, 404, 404, 200]


def _himself(id: str) -> Actor:
    scopes = frozenset({"patient/Patient.rs"})
    return Actor(f"account-{id}", Kind.PATIENT, "Zhang", "patient", scopes=scopes, patients=(id,))


async def test_a_restricted_label_holds_for_the_desk_that_reads_at_once_with_the_doctor(
    as_actor: Client,
) -> None:
    at_work = as_actor(doctor("north"))
    (id,) = await made(at_work, 1)
    restricted = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    note = observation(f"Patient/{id}", meta={"security": [{"system": restricted, "code": "R"}]})
    answer = await at_work.post("Observation", content=as_json(note), headers=JSON)
    place = f"Observation/{answer.json()['id']}"
    desk = as_actor(replace(doctor("north"), id="account-desk", role="desk"))
    answers = await asyncio.gather(*(client.get(place) for client in (at_work, desk, at_work)))
    assert [one.status_code for one in answers] == [200, 404, 200]


def test_who_shares_a_statement_is_asked_the_same_condition() -> None:
    actors = [
        Actor("a", kind, "A", role, organisation, practitioner=person, only=only, patients=patients)
        for kind in Kind
        for role in ("doctor", "desk", "system", "patient")
        for organisation in (None, "north", "south")
        for person in (None, "p1", "p2")
        for only in (None, ("Patient", "1"), ("Patient", "2"))
        for patients in ((), ("1",), ("1", "2"))
    ]
    conditions: dict[Rules, object] = {}
    for actor in actors:
        assert conditions.setdefault(rules_of(actor), clause(actor)) == clause(actor)


async def test_a_client_that_leaves_does_not_take_the_answer_from_another(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient
) -> None:
    (id,) = await made(fhir, 1)
    reads, reader = Reads(db, store.trail), doctor(None)
    leaving = asyncio.create_task(reads.read("Patient", id, actor=MACHINE))
    staying = asyncio.create_task(reads.read("Patient", id, actor=MACHINE))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).id == id
    with pytest.raises(NotFound):
        await reads.read("Patient", id, actor=reader)


async def test_when_the_database_is_away_every_waiting_reader_is_told(
    db: Database, store: FhirStore
) -> None:
    reads = Reads(db, store.trail)
    await db.close()
    found = await asyncio.gather(
        *(reads.read("Patient", str(n), actor=MACHINE) for n in range(3)),
        return_exceptions=True,
    )
    assert all(isinstance(one, PoolClosed | Unavailable) for one in found)


async def test_every_read_is_in_the_audit_trail(
    db: Database, store: FhirStore, as_actor: Client
) -> None:
    ward = as_actor(doctor("ward"))
    (id,) = await made(ward, 1)
    note = observation(f"Patient/{id}")
    answer = await ward.post("Observation", content=as_json(note), headers=JSON)
    await ward.get(f"Observation/{answer.json()['id']}")
    await ward.get("Observation", params={"subject": f"Patient/{id}"})
    async with db.connection() as connection:
        await store.trail.write(connection)
        rows = await (
            await connection.execute(
                "SELECT act, resource, patients FROM audit_event"
                " WHERE act IN ('fhir.read', 'fhir.look') ORDER BY sequence"
            )
        ).fetchall()
    assert rows == [
        ("fhir.read", f"Observation/{answer.json()['id']}", [id]),
        ("fhir.look", "Observation?subject", []),
    ]


async def test_looking_inside_a_bundle_is_in_the_audit_trail_too(
    db: Database, store: FhirStore, as_actor: Client
) -> None:
    ward = as_actor(doctor("ward"))
    (id,) = await made(ward, 1)
    wanted = [f"Patient/{id}", "Patient?family=P0"]
    for kind in ("batch", "transaction"):
        entries = [{"request": {"method": "GET", "url": url}} for url in wanted]
        bundle = {"resourceType": "Bundle", "type": kind, "entry": entries}
        assert (await ward.post("", content=as_json(bundle), headers=JSON)).status_code == 200
    async with db.connection() as connection:
        await store.trail.write(connection)
        rows = await (
            await connection.execute("SELECT resource FROM audit_event WHERE act = 'fhir.look'")
        ).fetchall()
    assert [place for (place,) in rows] == [f"Patient/{id}", "Patient?family"] * 2
