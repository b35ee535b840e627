"""What came of a project: new objects, and why others were left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from serai.deidentify.projects.model import Result, Source, Taken
from serai.platform.db import Connection, Database

ADD = """INSERT INTO deidentify_object
        (project, uid, study_uid, series_uid, pseudonym, blob, size, regions, identifying)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
REFUSE = """INSERT INTO deidentify_refusal (project, source_uid, study_uid, reason)
    VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"""
FORGIVE = "DELETE FROM deidentify_refusal WHERE project = %s"
COUNTED = """SELECT project, count(DISTINCT study_uid), count(DISTINCT pseudonym), count(*),
        sum(size)::bigint, sum(regions)::bigint, sum(identifying)::bigint
    FROM deidentify_object WHERE project = ANY(%s) GROUP BY project"""
REFUSALS = """SELECT reason, count(*) FROM deidentify_refusal WHERE project = %s
    GROUP BY reason ORDER BY count(*) DESC, reason"""
# An object that the archive keeps is read from there for as long as it is there.
PAGE = """SELECT o.uid, o.study_uid, o.series_uid, o.pseudonym, coalesce(o.blob, i.blob), o.size,
        o.regions, o.identifying
    FROM deidentify_object o LEFT JOIN imaging_instance i ON o.blob IS NULL AND i.uid = o.uid
    WHERE o.project = %(project)s AND coalesce(o.blob, i.blob) IS NOT NULL
      AND (o.pseudonym, o.uid) > (%(pseudonym)s, %(uid)s)
    ORDER BY o.pseudonym, o.uid LIMIT 200"""
BLOBS = "SELECT DISTINCT blob FROM deidentify_object WHERE project = %s AND blob IS NOT NULL"
USED = """SELECT blob FROM deidentify_object WHERE blob = ANY(%(blobs)s)
    UNION SELECT blob FROM imaging_instance WHERE blob = ANY(%(blobs)s)
    UNION SELECT blob FROM imaging_trash_row WHERE blob = ANY(%(blobs)s)"""


async def add(tx: Connection, id: str, taken: Taken) -> None:
    values = (taken.uid, taken.study, taken.series, taken.pseudonym, taken.blob, taken.size)
    await tx.execute(ADD, (id, *values, taken.regions, taken.identifying))


async def refuse(tx: Connection, id: str, source: Source, reason: str) -> None:
    await tx.execute(REFUSE, (id, source.uid, source.study, reason))


async def forgive(tx: Connection, id: str) -> None:
    """A new run tries again what was left out."""
    await tx.execute(FORGIVE, (id,))


async def counted(connection: Connection, ids: Sequence[str]) -> dict[str, Result]:
    rows = await (await connection.execute(COUNTED, (list(ids),))).fetchall()
    return {id: Result(*numbers) for id, *numbers in rows}


async def refusals(connection: Connection, id: str) -> tuple[tuple[str, int], ...]:
    rows = await (await connection.execute(REFUSALS, (id,))).fetchall()
    return tuple((reason, count) for reason, count in rows)


async def every(db: Database, id: str) -> AsyncIterator[Taken]:
    """All objects, subject by subject; no connection is held between two pages."""
    last = {"pseudonym": "", "uid": ""}
    while True:
        async with db.connection() as connection:
            cursor = await connection.execute(PAGE, {"project": id, **last})
            rows = await cursor.fetchall()
        for row in rows:
            yield Taken(*row)
        if not rows:
            return
        last = {"pseudonym": rows[-1][3], "uid": rows[-1][0]}


async def own_blobs(tx: Connection, id: str) -> list[str]:
    return [blob for (blob,) in await (await tx.execute(BLOBS, (id,))).fetchall()]


async def unused(connection: Connection, blobs: Sequence[str]) -> list[str]:
    """Those that nobody refers to any more."""
    rows = await (await connection.execute(USED, {"blobs": list(blobs)})).fetchall()
    used = {blob for (blob,) in rows}
    return [blob for blob in blobs if blob not in used]
