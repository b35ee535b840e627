"""The work behind $reindex: type after type in batches, each with its checkpoint."""

from __future__ import annotations

from datetime import timedelta

from serai.fhir.store.parameters import Watch
from serai.fhir.store.reindexing import reindex_after
from serai.platform.db import Connection
from serai.platform.running import Running

BATCH = 200

COUNT = "SELECT count(*) FROM fhir_resource WHERE type = ANY(%(types)s)"
PRESENT = """SELECT wanted.type FROM unnest(%(types)s::text[]) AS wanted(type)
    WHERE EXISTS (SELECT FROM fhir_resource r WHERE r.type = wanted.type) ORDER BY wanted.type"""
BEFORE = "SELECT coalesce(max(id), '') FROM fhir_resource WHERE type = %(type)s AND id < %(id)s"


async def run(running: Running, *, base: str) -> timedelta | None:
    """From the checkpoint to the end. What is written meanwhile is indexed by its write."""
    async with running.db.connection() as connection:
        await Watch().look(connection)
    if "id" in running.job.parameters:
        await _one(running, base)
        return None
    if not running.job.state:
        await _plan(running)
    state = running.job.state
    while state["at"] < len(state["types"]):
        running.go_on()
        async with running.db.transaction() as tx:
            count, last = await reindex_after(
                tx, state["types"][state["at"]], state["after"], BATCH, base=base
            )
            after = {"at": state["at"] + 1, "after": ""} if last is None else {"after": last}
            await running.move(tx, state | after, done=running.job.done + count)
        state = running.job.state
    return None


async def _plan(running: Running) -> None:
    async with running.db.transaction() as tx:
        types = running.job.parameters["types"]
        rows = await (await tx.execute(PRESENT, {"types": types})).fetchall()
        present = [row[0] for row in rows]
        (total,) = await (await tx.execute(COUNT, {"types": present})).fetchone() or (0,)
        state = {"types": present, "at": 0, "after": ""}
        await running.move(tx, state, done=0, total=total)


async def _one(running: Running, base: str) -> None:
    type, id = running.job.parameters["types"][0], running.job.parameters["id"]
    async with running.db.transaction() as tx:
        await reindex_after(tx, type, await _before(tx, type, id), 1, base=base)
        await running.move(tx, {}, done=1, total=1)


async def _before(tx: Connection, type: str, id: str) -> str:
    """The id in front of this one: the batch of one that follows is the resource itself."""
    row = await (await tx.execute(BEFORE, {"type": type, "id": id})).fetchone()
    return str(row[0]) if row else ""
