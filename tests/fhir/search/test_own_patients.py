"""An organisation's list of patients: its own and those shared with it, whoever else has some."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.fhir.resources import doctor, patient
from tests.fhir.search.test_plans import plan, walked

from serai.fhir import body
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import Actor
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNTY, TOWN = doctor("county"), doctor("town")


async def register(db: Database, store: FhirStore, actor: Actor, ids: list[str]) -> None:
    writes = [Write("PUT", "Patient", id, body.of(patient("Wang", id=id))) for id in ids]
    async with db.transaction() as tx:
        await store.write(tx, writes, actor=actor, now=NOON)


async def listed(db: Database, store: FhirStore, actor: Actor, count: int) -> list[str]:
    """The ids on all pages, in their order."""
    found: list[str] = []
    params = [("_count", str(count))]
    while True:
        async with db.connection() as connection:
            page = await store.search(connection, "Patient", params, actor=actor)
        found += [one.id for one in page.matches]
        if "next" not in page.links:
            return found
        cursor = page.links["next"].partition("_cursor=")[2]
        params = [("_count", str(count)), ("_cursor", cursor)]


@pytest.mark.parametrize("count", [1, 2, 3, 50])
async def test_own_and_shared_patients_come_once_each_in_order_on_every_page(
    db: Database, store: FhirStore, count: int
) -> None:
    await register(db, store, COUNTY, [f"c{n}" for n in range(6)])
    await register(db, store, TOWN, [f"a{n}" for n in range(3)] + ["d0"])
    async with db.transaction() as tx:
        # One of the shared ones is its own as well.
        await store.share(tx, "town", ["Patient/c1", "Patient/c4", "Patient/a1"], "one", NOON)
        await store.share(tx, "town", ["Patient/c2"], "two", NOON)
        await store.close_shares(tx, "two", NOON)
        await store.delete(tx, "Patient", "a2", actor=TOWN, now=NOON)
    assert await listed(db, store, TOWN, count) == ["a0", "a1", "c1", "c4", "d0"]
    assert await listed(db, store, doctor("elsewhere"), count) == []


async def test_a_page_costs_the_same_among_many_patients_of_others(
    db: Database, store: FhirStore
) -> None:
    await register(db, store, COUNTY, [f"c{n:04}" for n in range(2_000)])
    await register(db, store, TOWN, [f"t{n:02}" for n in range(40)])
    async with db.connection() as connection:
        await connection.execute("ANALYZE")
        found = await plan(connection, "Patient?_count=20", TOWN)
    assert walked(found) <= {"fhir_share", "consent_refusal", "consent_exception"}
    assert found["Actual Rows"] == 21
    assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < 200
