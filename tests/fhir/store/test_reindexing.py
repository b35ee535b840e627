"""Search values made anew for what was stored before."""

from __future__ import annotations

import httpx
from tests.fhir.conftest import BASE
from tests.fhir.resources import as_json, observation

from serai.fhir.store.reindexing import reindex_after
from serai.platform.db import Database

JSON = {"content-type": "application/fhir+json"}
FOUND = "Observation?value-quantity=gt5&_sort=_id"


async def ids(fhir: httpx.AsyncClient) -> list[str]:
    return [e["resource"]["id"] for e in (await fhir.get(FOUND)).json().get("entry", [])]


async def test_what_was_stored_before_is_found_after_reindexing_step_by_step(
    fhir: httpx.AsyncClient, db: Database
) -> None:
    for number in range(5):
        made = observation(id=f"o{number}", valueQuantity={"value": 7})
        assert (
            await fhir.put(f"Observation/o{number}", content=as_json(made), headers=JSON)
        ).is_success
    await fhir.delete("Observation/o4")
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM fhir_quantity")
    assert await ids(fhir) == []
    steps = []
    last: str | None = ""
    while last is not None:
        async with db.transaction() as tx:
            count, last = await reindex_after(tx, "Observation", last, 3, base=BASE)
        steps.append((count, last))
    assert steps == [(3, "o2"), (1, None)]
    assert await ids(fhir) == ["o0", "o1", "o2", "o3"]
    read = await fhir.get("Observation/o0")
    assert read.headers["etag"] == 'W/"1"'
    assert len((await fhir.get("Observation/o0/_history")).json()["entry"]) == 1


async def test_reindexing_twice_changes_nothing(fhir: httpx.AsyncClient, db: Database) -> None:
    made = observation(id="o1", valueQuantity={"value": 7})
    await fhir.put("Observation/o1", content=as_json(made), headers=JSON)
    for _ in range(2):
        async with db.transaction() as tx:
            assert await reindex_after(tx, "Observation", "", 10, base=BASE) == (1, None)
    async with db.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM fhir_quantity")
        assert await cursor.fetchone() == (1,)
