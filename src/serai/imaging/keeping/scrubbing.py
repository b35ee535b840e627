"""Reading everything that is kept, to find what a disk has lost before somebody needs it.

Three passes, each resumable: the pictures of the index, those in the trash, and then what lies in
the store though nothing refers to it. Only what is older than a week counts as left behind.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, LiteralString

from psycopg import sql

from serai.fhir.bulk.files import DELETING
from serai.imaging.archive.content import receive
from serai.imaging.archive.letting_go import ALONE, bucket
from serai.imaging.keeping import findings
from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound, SeraiError
from serai.platform.blobs import Blobs, Damaged
from serai.platform.db import Connection, Database
from serai.platform.running import Running

BATCH = 50
LISTED_AT_ONCE = 50_000
# So that reading everything does not keep others from reading something.
BYTES_A_SECOND = 100 * 1024 * 1024
LEFT_BEHIND_AFTER = timedelta(days=7)
# More than an instance is read for its UID.
LARGEST_READ = 512 * 1024 * 1024

INDEXED = """SELECT i.study_uid, i.series_uid, i.uid, i.blob, i.size, c.state
    FROM imaging_instance i LEFT JOIN imaging_cold c ON c.study_uid = i.study_uid
    WHERE (i.study_uid, i.series_uid, i.uid) > (%(a)s, %(b)s, %(c)s)
    ORDER BY i.study_uid, i.series_uid, i.uid LIMIT %(most)s"""
DISCARDED = """SELECT '', w.trash, w.uid, w.blob, (w.row ->> 'size')::bigint, c.state
    FROM imaging_trash_row w LEFT JOIN imaging_cold c ON c.study_uid = w.row ->> 'study_uid'
    WHERE w.blob IS NOT NULL AND (w.trash, w.uid) > (%(b)s, %(c)s)
    ORDER BY w.trash, w.uid LIMIT %(most)s"""
PASSES = (INDEXED, DISCARDED)
COUNT = """SELECT (SELECT count(*) FROM imaging_instance)
                + (SELECT count(*) FROM imaging_trash_row WHERE blob IS NOT NULL)"""
LIST = "INSERT INTO imaging_listed SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"
# Every table that names blobs, those of other rooms and of later versions included.
NAMING = """SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND column_name ~ '(^|_)(blob|digest)$'
      AND data_type IN ('text', 'character varying')
      AND table_name NOT IN ('imaging_listed', 'imaging_finding')
    ORDER BY 1, 2"""
MET = "DELETE FROM imaging_listed l USING {table} t WHERE t.{column} = l.blob"
NAMED = "SELECT EXISTS (SELECT FROM {table} WHERE {column} = %s)"
BY_UID = "SELECT EXISTS (SELECT FROM imaging_instance WHERE uid = %s AND blob = %s)"
REMAINING = "SELECT blob FROM imaging_listed ORDER BY blob"
NO_ORPHANS = "DELETE FROM imaging_finding WHERE kind = 'orphan'"


async def scrub(
    running: Running, *, hot: Blobs, cold: Blobs | None, at_once: int = BATCH
) -> timedelta | None:
    """From the checkpoint to the end."""
    if not running.job.state:
        async with running.db.transaction() as tx:
            (total,) = await (await tx.execute(COUNT)).fetchone() or (0,)
            await running.move(tx, {"pass": 0, "after": ["", "", ""]}, done=0, total=total)
    while running.job.state["pass"] < len(PASSES):
        running.go_on()
        await _batch(running, hot, cold, at_once)
    await _list(running, hot)
    await _left_behind(running, hot)
    return None


async def _batch(running: Running, hot: Blobs, cold: Blobs | None, at_once: int) -> None:
    state = running.job.state
    a, b, c = state["after"]
    values = {"a": a, "b": b, "c": c, "most": at_once}
    async with running.db.connection() as connection:
        rows = await (await connection.execute(PASSES[state["pass"]].encode(), values)).fetchall()
    whole = [row[3] for row in rows if await _is_whole(running, row, hot, cold)]
    after = list(rows[-1][:3]) if rows else ["", "", ""]
    async with running.db.transaction() as tx:
        await findings.mended(tx, whole)
        state = {"pass": state["pass"] + (not rows), "after": after}
        await running.move(tx, state, done=running.job.done + len(rows))


async def _is_whole(running: Running, row: Sequence[Any], hot: Blobs, cold: Blobs | None) -> bool:
    _, _, uid, blob, size, state = row
    await asyncio.sleep(size / BYTES_A_SECOND)
    places = [("hot", hot)]
    if cold and state:
        # On its way it may be in either.
        places.insert(state != "cold", ("cold", cold))
    said: list[tuple[str, str]] = []
    for place, store in places:
        kind = await _wrong(store, blob)
        if not kind:
            return True
        said.append((place, kind))
    if await findings.is_referred_to(running.db, uid, blob):
        place, kind = next((each for each in said if each[1] == "damaged"), said[0])
        await findings.note(running.db, uid, blob, place=place, kind=kind)
    return False


async def _wrong(store: Blobs, blob: str) -> str:
    summed = hashlib.sha256()
    try:
        async for part in store.stream(blob):
            await asyncio.to_thread(summed.update, part)
    except NotFound:
        return "missing"
    except Damaged:
        return "damaged"
    return "" if summed.hexdigest() == blob else "damaged"


async def _list(running: Running, hot: Blobs) -> None:
    """What lies in the store, by the first byte of the name."""
    before = utc_now() - LEFT_BEHIND_AFTER
    while (first := running.job.state.get("listed", 0)) < 256:
        running.go_on()
        old: list[str] = []
        next_byte = first
        while next_byte < 256 and len(old) < LISTED_AT_ONCE:
            old += [blob async for blob, at in hot.listed(f"{next_byte:02x}") if at < before]
            next_byte += 1
        async with running.db.transaction() as tx:
            if first == 0:
                await tx.execute("DELETE FROM imaging_listed")
            await tx.execute(LIST, (old,))
            state = {**running.job.state, "listed": next_byte}
            await running.move(tx, state, done=running.job.done)


async def _left_behind(running: Running, hot: Blobs) -> None:
    """Reported, or deleted when the job was asked to."""
    delete = bool(running.job.parameters.get("delete_orphans"))
    async with running.db.transaction() as tx:
        naming = [(table, column) for table, column in await (await tx.execute(NAMING)).fetchall()]
        for table, column in naming:
            await tx.execute(_about(MET, table, column))
        await tx.execute(NO_ORPHANS)
        left = [blob for (blob,) in await (await tx.execute(REMAINING)).fetchall()]
    for blob in left:
        running.go_on()
        if not delete:
            await findings.note(running.db, None, blob, place="hot", kind="orphan")
        else:
            await _delete_unless_named(running.db, hot, blob, naming)


async def _delete_unless_named(
    db: Database, hot: Blobs, blob: str, naming: list[tuple[str, str]]
) -> None:
    uid = await _instance_uid(hot, blob)
    async with db.transaction() as tx:
        await tx.execute(DELETING)
        await tx.execute(ALONE, (bucket(blob),))
        if not await _is_named(tx, uid, blob, naming):
            await hot.delete(blob)


async def _is_named(tx: Connection, uid: str, blob: str, naming: list[tuple[str, str]]) -> bool:
    # The index of pictures finds them by UID only; what is no picture is not in it.
    checks: list[tuple[Any, tuple[str, ...]]] = [(BY_UID, (uid, blob))]
    checks += [
        (_about(NAMED, table, column), (blob,))
        for table, column in naming
        if table != "imaging_instance"
    ]
    for statement, values in checks:
        row = await (await tx.execute(statement, values)).fetchone()
        if row is None or row[0]:
            return True
    return False


async def _instance_uid(hot: Blobs, blob: str) -> str:
    try:
        return receive(await hot.get_range(blob, 0, LARGEST_READ)).instance.uid
    except SeraiError:
        return ""


def _about(statement: LiteralString, table: str, column: str) -> sql.Composed:
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
    return sql.SQL(statement).format(**names)
