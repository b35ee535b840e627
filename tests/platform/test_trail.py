"""The audit trail of looking: written soon, together, and never lost silently."""

from __future__ import annotations

import asyncio

import pytest

from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Unavailable
from serai.platform.db import Database
from serai.platform.trail import Trail

NURSE = Actor("nurse", Kind.STAFF, "Nurse", "nurse", organisation="ward")
LINES = """SELECT actor, organisation, act, resource, version, patients, outcome
    FROM audit_event ORDER BY sequence"""


async def lines(db: Database) -> list[tuple[object, ...]]:
    async with db.connection() as connection:
        return await (await connection.execute(LINES)).fetchall()


async def test_a_look_is_written_with_who_what_and_whom_it_is_about(db: Database) -> None:
    trail = Trail()
    trail.note(
        NURSE, "fhir.read", "Observation/1", at=utc_now(), version=2, patients=["anna", "ben"]
    )
    trail.note(NURSE, "fhir.look", "Patient?family", at=utc_now())
    async with db.connection() as connection:
        await trail.write(connection)
    assert await lines(db) == [
        ("nurse", "ward", "fhir.read", "Observation/1", 2, ["anna", "ben"], "success"),
        ("nurse", "ward", "fhir.look", "Patient?family", None, [], "success"),
    ]


async def test_stopping_writes_what_is_left(db: Database) -> None:
    trail = Trail()
    keeping = asyncio.create_task(trail.keep(db))
    await asyncio.sleep(0)
    trail.note(NURSE, "fhir.read", "Patient/1", at=utc_now())
    keeping.cancel()
    await asyncio.wait([keeping])
    assert len(await lines(db)) == 1


async def test_lines_that_the_database_did_not_take_are_kept(db: Database) -> None:
    trail = Trail()
    trail.note(NURSE, "fhir.read", "Patient/1", at=utc_now())
    async with db.connection() as connection:
        await connection.close()
        with pytest.raises(Exception, match="closed"):
            await trail.write(connection)
    async with db.connection() as connection:
        await trail.write(connection)
    assert len(await lines(db)) == 1


async def test_a_full_trail_refuses_looks_instead_of_letting_them_go_unseen() -> None:
    trail = Trail(most=2)
    for _ in range(2):
        trail.note(NURSE, "fhir.read", "Patient/1", at=utc_now())
    with pytest.raises(Unavailable):
        trail.note(NURSE, "fhir.read", "Patient/1", at=utc_now())
