"""Who may see and change what, on every path."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, observation, patient

from serai.fhir import body
from serai.fhir.store import Change, FhirStore, HistoryAsked
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.errors import Conflict, Forbidden, Gone, Invalid, NotFound
from serai.platform.db import Connection, Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNTY, LEAD, NOWHERE = doctor("county"), doctor("lead"), doctor(None)


async def put(db: Database, store: FhirStore, data: Data, actor: Actor) -> None:
    async with db.transaction() as tx:
        await store.update(tx, body.of(data), actor=actor, now=NOON)


async def found(
    db: Database, store: FhirStore, kind: str, actor: Actor, *params: tuple[str, str]
) -> set[str]:
    async with db.connection() as connection:
        return {one["id"] for one in await store.find(connection, kind, *params, actor=actor)}


async def sees(db: Database, store: FhirStore, kind: str, id: str, actor: Actor) -> bool:
    """Whether read, vread, history and search agree that it is visible."""
    answers: set[bool] = {id in await found(db, store, kind, actor)}
    async with db.connection() as connection:
        for attempt in (
            lambda: store.read(connection, kind, id, actor=actor),
            lambda: store.vread(connection, kind, id, 1, actor=actor),
            lambda: store.history(connection, HistoryAsked(kind, id), actor=actor),
        ):
            try:
                await attempt()
                found_here = True
            except NotFound:
                found_here = False
            answers.add(found_here)
        versions = await store.history(connection, HistoryAsked(), actor=actor)
        answers.add((kind, id) in {(one.type, one.id) for one in versions.entries})
    assert len(answers) == 1, "the paths disagree"
    return answers.pop()


async def test_another_organisation_sees_neither_patient_nor_record(
    db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p"), COUNTY)
    await put(db, store, observation("Patient/p", id="o"), COUNTY)
    for kind, id in (("Patient", "p"), ("Observation", "o")):
        assert await sees(db, store, kind, id, COUNTY)
        assert await sees(db, store, kind, id, serai_itself)
        assert not await sees(db, store, kind, id, LEAD)
        assert not await sees(db, store, kind, id, NOWHERE)


async def test_the_custodian_sees_what_others_write_about_its_patient(
    db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p"), COUNTY)
    await put(db, store, observation("Patient/p", id="o"), serai_itself)
    assert await sees(db, store, "Observation", "o", COUNTY)
    await put(db, store, observation(id="nobody"), serai_itself)
    assert not await sees(db, store, "Observation", "nobody", COUNTY)


async def test_a_system_wide_writer_gives_a_patient_to_its_managing_organisation(
    db: Database, store: FhirStore
) -> None:
    managed = patient(id="p", managingOrganization={"reference": "Organization/lead"})
    await put(db, store, managed, serai_itself)
    assert await sees(db, store, "Patient", "p", LEAD)
    assert not await sees(db, store, "Patient", "p", COUNTY)


async def test_a_share_opens_and_closes_reading(db: Database, store: FhirStore) -> None:
    await put(db, store, patient(id="p"), COUNTY)
    await put(db, store, observation("Patient/p", id="o"), COUNTY)
    async with db.transaction() as tx:
        await store.share(tx, "lead", ["Patient/p"], "Task/1", NOON)
    assert await sees(db, store, "Patient", "p", LEAD)
    assert not await sees(db, store, "Observation", "o", LEAD)
    with pytest.raises(Forbidden):
        await put(db, store, patient("Changed", id="p"), LEAD)
    await put(db, store, observation("Patient/p", id="by-lead"), LEAD)
    async with db.transaction() as tx:
        await store.close_shares(tx, "Task/1", NOON + timedelta(hours=1))
    assert not await sees(db, store, "Patient", "p", LEAD)
    assert await sees(db, store, "Observation", "by-lead", LEAD)
    assert await sees(db, store, "Observation", "by-lead", COUNTY)


async def test_what_is_shared_may_be_changed_where_a_guard_vouches_for_it(
    db: Database, store: FhirStore
) -> None:
    async def only_accepted(tx: Connection, change: Change) -> bool:
        if change.new and change.new["status"] != "accepted":
            raise Conflict("test.illegal")
        return True

    task: Data = {"resourceType": "Task", "id": "t", "status": "requested", "intent": "order"}
    await put(db, store, task, COUNTY)
    store.guard("Task", only_accepted)
    async with db.transaction() as tx:
        await store.share(tx, "lead", ["Task/t"], "Task/t", NOON)
    with pytest.raises(Conflict):
        await put(db, store, task | {"status": "completed"}, LEAD)
    await put(db, store, task | {"status": "accepted"}, LEAD)
    async with db.connection() as connection:
        kept = await store.read(connection, "Task", "t", actor=COUNTY)
    assert (kept.data["status"], kept.version, kept.owner) == ("accepted", 2, "county")


async def test_a_guard_that_only_watches_opens_nothing(db: Database, store: FhirStore) -> None:
    async def watching(tx: Connection, change: Change) -> bool:
        return False

    await put(db, store, observation(id="o"), COUNTY)
    store.guard("Observation", watching)
    async with db.transaction() as tx:
        await store.share(tx, "lead", ["Observation/o"], "Task/t", NOON)
    with pytest.raises(Forbidden):
        await put(db, store, observation(id="o"), LEAD)
    async with db.transaction() as tx:
        with pytest.raises(Forbidden):
            await store.delete(tx, "Observation", "o", actor=LEAD, now=NOON)


async def test_nobody_writes_about_a_patient_they_cannot_see(
    db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p"), COUNTY)
    for subject in ("Patient/p", "Patient/nobody"):
        with pytest.raises(Invalid):
            await put(db, store, observation(subject, id="o"), LEAD)


async def test_an_invisible_id_can_be_neither_taken_nor_deleted(
    db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p"), COUNTY)
    with pytest.raises(Conflict):
        await put(db, store, patient(id="p"), LEAD)
    async with db.transaction() as tx:
        gone = await store.delete(tx, "Patient", "p", actor=LEAD, now=NOON)
    assert gone.version == 0
    assert await sees(db, store, "Patient", "p", COUNTY)


async def test_the_network_itself_is_visible_to_all_and_changed_only_by_its_own(
    db: Database, store: FhirStore
) -> None:
    for name in ("county", "lead"):
        await put(
            db, store, {"resourceType": "Organization", "id": name, "name": name}, serai_itself
        )
    assert await sees(db, store, "Organization", "lead", COUNTY)
    await put(db, store, {"resourceType": "Organization", "id": "county", "name": "New"}, COUNTY)
    with pytest.raises(Forbidden):
        await put(db, store, {"resourceType": "Organization", "id": "lead", "name": "New"}, COUNTY)


async def test_included_and_counted_is_only_what_may_be_read(
    db: Database, store: FhirStore, as_actor: Client
) -> None:
    await put(db, store, patient(id="p"), COUNTY)
    await put(db, store, observation("Patient/p", id="o"), COUNTY)
    async with db.transaction() as tx:
        await store.share(tx, "lead", ["Observation/o"], "Task/1", NOON)
    lead = as_actor(LEAD)
    with_patient = (await lead.get("Observation?_include=Observation:subject")).json()
    assert [e["resource"]["id"] for e in with_patient["entry"]] == ["o"]
    assert (await lead.get("Patient?_summary=count")).json()["total"] == 0
    assert (await lead.get("Patient?_revinclude=Observation:subject")).json()["total"] == 0
    condition = {"if-none-exist": "family=Li", "content-type": "application/json"}
    made = await lead.post("Patient", content=as_json(patient()), headers=condition)
    assert made.status_code == 201


async def test_a_patient_of_another_server_is_nobody_here(db: Database, store: FhirStore) -> None:
    await put(db, store, patient(id="p"), LEAD)
    await put(db, store, observation("http://elsewhere.test/fhir/Patient/p", id="o"), COUNTY)
    assert not await sees(db, store, "Observation", "o", LEAD)


async def test_every_change_leaves_an_audit_line(db: Database, store: FhirStore) -> None:
    await put(db, store, patient(id="p"), COUNTY)
    await put(db, store, patient("Wang", id="p"), COUNTY)
    async with db.transaction() as tx:
        await store.delete(tx, "Patient", "p", actor=COUNTY, now=NOON)
    async with db.connection() as connection:
        rows = await connection.execute(
            "SELECT act, resource, version, patients, organisation"
            " FROM audit_event ORDER BY sequence"
        )
        assert await rows.fetchall() == [
            ("fhir.create", "Patient/p", 1, ["p"], "county"),
            ("fhir.update", "Patient/p", 2, ["p"], "county"),
            ("fhir.delete", "Patient/p", 3, ["p"], "county"),
        ]
        with pytest.raises(Gone):
            await store.read(connection, "Patient", "p", actor=COUNTY)
        with pytest.raises(NotFound):
            await store.read(connection, "Patient", "p", actor=LEAD)


async def test_more_clients_than_connections_only_queue(
    fhir: httpx.AsyncClient, db: Database
) -> None:
    json = {"content-type": "application/json"}
    answers = await asyncio.gather(
        *(fhir.post("Patient", content=as_json(patient()), headers=json) for _ in range(80)),
        *(fhir.get("Patient?_count=5&_total=accurate") for _ in range(80)),
    )
    assert {answer.status_code for answer in answers} == {200, 201}
