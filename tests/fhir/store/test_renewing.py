"""A database of an older version finds everything again after the next start."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.fhir.conftest import BASE
from tests.fhir.resources import as_json, patient

from serai.fhir.store.reindexing import reindex_after
from serai.fhir.store.renewing import renew
from serai.platform.db import Connection, Database

JSON = {"content-type": "application/fhir+json"}
AS_BEFORE = "UPDATE fhir_resource SET keys = '{1,2,3}'"
WITHOUT_NAMES = "DELETE FROM fhir_string"
STILL_AS_BEFORE = "SELECT count(*) FROM fhir_resource WHERE keys = '{1,2,3}'"


async def test_search_values_are_made_anew_once_when_a_migration_asks_for_it(
    db: Database, fhir: httpx.AsyncClient
) -> None:
    for number in range(3):
        sent = patient(f"Name{number}", identifier=[{"system": "urn:x", "value": str(number)}])
        await fhir.post("Patient", content=as_json(sent), headers=JSON)
    async with db.transaction() as tx:
        for statement in (AS_BEFORE, WITHOUT_NAMES, "UPDATE fhir_index SET due = true"):
            await tx.execute(statement)
    assert "entry" not in (await fhir.get("Patient?identifier=urn:x|1")).json()
    assert await renew(db, base=BASE) == 3
    for query in ("identifier=urn:x|1", "family=name1"):
        found = (await fhir.get(f"Patient?{query}")).json()["entry"]
        assert [one["resource"]["name"][0]["family"] for one in found] == ["Name1"]
    assert await renew(db, base=BASE) == 0


async def test_a_new_database_has_nothing_to_renew(db: Database) -> None:
    assert await renew(db, base=BASE) == 0


async def _outdated(db: Database, fhir: httpx.AsyncClient, count: int) -> None:
    for number in range(count):
        sent = patient(f"Name{number}") | {"id": f"p{number}"}
        await fhir.put(f"Patient/p{number}", content=as_json(sent), headers=JSON)
    basic = b'{"resourceType":"Basic","id":"b","code":{"text":"t"}}'
    await fhir.put("Basic/b", content=basic, headers=JSON)
    async with db.transaction() as tx:
        for statement in (AS_BEFORE, WITHOUT_NAMES, "UPDATE fhir_index SET due = true"):
            await tx.execute(statement)


async def _still_outdated(db: Database) -> int:
    async with db.connection() as connection:
        cursor = await connection.execute(STILL_AS_BEFORE)
        (count,) = await cursor.fetchone() or (0,)
        return int(count)


class PowerCut(BaseException):
    """What ends the process in the middle of a step."""


async def test_a_renewal_that_was_cut_off_goes_on_where_it_was(
    db: Database, fhir: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _outdated(db, fhir, 5)
    steps = 0

    async def cut_off(
        tx: Connection, type: str, after: str, limit: int, *, base: str
    ) -> tuple[int, str | None]:
        nonlocal steps
        steps += 1
        done = await reindex_after(tx, type, after, limit, base=base)
        if steps == 4:
            raise PowerCut
        return done

    # One that finds nothing before the first type, one for Basic, and 2 of the 5 patients.
    monkeypatch.setattr("serai.fhir.store.renewing.reindex_after", cut_off)
    with pytest.raises(PowerCut):
        await renew(db, base=BASE, at_once=2)
    assert await _still_outdated(db) == 3
    monkeypatch.undo()
    assert await renew(db, base=BASE, at_once=2) == 3
    assert await _still_outdated(db) == 0


async def test_two_processes_that_start_at_once_share_the_renewal(
    db: Database, fhir: httpx.AsyncClient
) -> None:
    await _outdated(db, fhir, 7)
    shared = await asyncio.gather(*(renew(db, base=BASE, at_once=2) for _ in range(2)))
    assert sum(shared) == 8
    assert await _still_outdated(db) == 0


async def test_a_resource_can_be_written_between_two_steps_of_a_renewal(
    db: Database, fhir: httpx.AsyncClient
) -> None:
    await _outdated(db, fhir, 5)
    renewed = asyncio.create_task(renew(db, base=BASE, at_once=1))
    changed = as_json(patient("Other") | {"id": "p4"})
    assert (await fhir.put("Patient/p4", content=changed, headers=JSON)).status_code == 200
    await renewed
    for name, expected in (("other", ["p4"]), ("name4", []), ("name0", ["p0"])):
        found = (await fhir.get(f"Patient?family={name}")).json().get("entry", [])
        assert [one["resource"]["id"] for one in found] == expected
