"""What is wrong with stored bytes, kept until a later look finds it mended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.platform.db import Connection, Database

REFERRED = """SELECT EXISTS (SELECT FROM imaging_instance WHERE uid = %(uid)s AND blob = %(blob)s)
                  OR EXISTS (SELECT FROM imaging_trash_row WHERE blob = %(blob)s)"""
NOTE = """INSERT INTO imaging_finding
        (blob, place, kind, study_uid, instance_uid, owner, found_at)
    SELECT %(blob)s, %(place)s, %(kind)s, w.study, %(uid)s, w.owner, %(now)s FROM (
        SELECT i.study_uid AS study, s.owner FROM imaging_instance i
        JOIN imaging_study s ON s.uid = i.study_uid WHERE i.uid = %(uid)s
        UNION ALL
        SELECT row ->> 'study_uid', owner FROM imaging_trash_row WHERE blob = %(blob)s
        UNION ALL SELECT NULL, NULL LIMIT 1) AS w
    ON CONFLICT (blob, place, kind) DO NOTHING"""
MENDED = """DELETE FROM imaging_finding WHERE blob = ANY(%s) AND kind <> 'orphan'"""
SEEN = """SELECT blob, place, kind, study_uid, instance_uid, found_at FROM imaging_finding
    WHERE %(all)s OR owner = %(organisation)s ORDER BY found_at DESC, blob LIMIT 200"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One object whose bytes are missing or damaged, or which nothing refers to."""

    blob: str
    place: str
    kind: str
    study: str | None
    instance: str | None
    at: datetime


async def is_referred_to(db: Database, uid: str, blob: str) -> bool:
    """It may have been deleted while its bytes were looked for."""
    async with db.connection() as connection:
        row = await (await connection.execute(REFERRED, {"uid": uid, "blob": blob})).fetchone()
    return bool(row and row[0])


async def note(db: Database, uid: str | None, blob: str, *, place: str, kind: str) -> None:
    values = {"uid": uid, "blob": blob, "place": place, "kind": kind, "now": utc_now()}
    async with db.transaction() as tx:
        await tx.execute(NOTE, values)


async def mended(tx: Connection, blobs: list[str]) -> None:
    await tx.execute(MENDED, (blobs,))


async def seen(connection: Connection, *, actor: Actor) -> list[Finding]:
    """Of the actor's organisation, the newest first."""
    values = {"all": actor.system_wide, "organisation": actor.organisation}
    rows = await (await connection.execute(SEEN, values)).fetchall()
    return [Finding(*row) for row in rows]
