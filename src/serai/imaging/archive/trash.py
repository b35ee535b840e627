"""Pictures deleted, and brought back until the trash is emptied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.imaging.archive import settling
from serai.imaging.archive.holding import held
from serai.imaging.archive.letting_go import let_go
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, NotFound
from serai.kernel.ids import new_id
from serai.platform import audit
from serai.platform.blobs import Blobs
from serai.platform.db import Connection, Database

WHOLE = "s.owner, to_jsonb(s)::text"
OPEN = """INSERT INTO imaging_trash
              (id, deleted_at, actor, actor_name, owner, resource, study_uid, series_uid,
               instance_uid)
          VALUES (%(trash)s, %(now)s, %(actor)s, %(name)s, %(owner)s, %(resource)s, %(study)s,
                  %(series)s, %(instance)s)"""
MOVE_INSTANCES = """WITH gone AS (
        DELETE FROM imaging_instance WHERE study_uid = %(study)s
            AND (%(series)s::text IS NULL OR series_uid = %(series)s)
            AND (%(instance)s::text IS NULL OR uid = %(instance)s)
        RETURNING *)
    INSERT INTO imaging_trash_row (trash, uid, blob, row)
    SELECT %(trash)s, gone.uid, gone.blob, to_jsonb(gone) FROM gone"""
MOVE_SERIES = """WITH gone AS (
        DELETE FROM imaging_series e WHERE e.study_uid = %(study)s AND NOT EXISTS (
            SELECT 1 FROM imaging_instance i
            WHERE i.study_uid = e.study_uid AND i.series_uid = e.uid)
        RETURNING e.*)
    INSERT INTO imaging_trash_row (trash, uid, row)
    SELECT %(trash)s, gone.uid, to_jsonb(gone) FROM gone"""
EMPTY_STUDY = """DELETE FROM imaging_study s WHERE s.uid = %(study)s AND NOT EXISTS (
                     SELECT 1 FROM imaging_series e WHERE e.study_uid = s.uid) RETURNING uid"""
KEEP_STUDY = "UPDATE imaging_trash SET study = %s::jsonb, content = %s::jsonb WHERE id = %s"
CHANGED = """UPDATE imaging_study s SET settled = false, revision = revision + 1,
                 modalities = ARRAY(SELECT DISTINCT modality FROM imaging_series
                                    WHERE study_uid = s.uid AND modality <> '' ORDER BY 1)
             WHERE uid = %s"""
LIST = """SELECT t.id, t.deleted_at, t.actor_name, t.study_uid, t.series_uid, t.instance_uid,
                 (SELECT count(*) FROM imaging_trash_row w
                  WHERE w.trash = t.id AND w.blob IS NOT NULL)
          FROM imaging_trash t WHERE {mine} ORDER BY t.deleted_at DESC, t.id
          LIMIT %(limit)s OFFSET %(offset)s"""
TAKE_BACK = """SELECT resource, study_uid, study::text, content::text FROM imaging_trash t
               WHERE t.id = %(trash)s AND {mine} FOR UPDATE"""
TAKEN = """SELECT count(*) FROM imaging_trash_row w JOIN imaging_instance i ON i.uid = w.uid
           WHERE w.trash = %s AND w.blob IS NOT NULL"""
OTHER_PATIENT = """SELECT count(*) FROM imaging_study s
    JOIN imaging_trash t ON t.study_uid = s.uid AND t.study IS NOT NULL
    WHERE t.id = %s AND (s.owner, s.patient_id) IS DISTINCT FROM
        (t.study ->> 'owner', t.study ->> 'patient_id')"""
PUT_BACK_STUDY = """INSERT INTO imaging_study
    SELECT (jsonb_populate_record(NULL::imaging_study, t.study)).* FROM imaging_trash t
    WHERE t.id = %s AND t.study IS NOT NULL ON CONFLICT (uid) DO NOTHING"""
PUT_BACK_SERIES = """INSERT INTO imaging_series
    SELECT (jsonb_populate_record(NULL::imaging_series, w.row)).* FROM imaging_trash_row w
    WHERE w.trash = %s AND w.blob IS NULL ON CONFLICT (study_uid, uid) DO NOTHING"""
PUT_BACK_INSTANCES = """INSERT INTO imaging_instance
    SELECT (jsonb_populate_record(NULL::imaging_instance, w.row)).* FROM imaging_trash_row w
    WHERE w.trash = %s AND w.blob IS NOT NULL"""
IS_THERE = "SELECT resource FROM imaging_study WHERE uid = %s"
BLOBS_OF = "SELECT uid, blob FROM imaging_trash_row WHERE trash = %s AND blob IS NOT NULL"
KEPT_UNTIL = """SELECT u.until = 'infinity', to_char(u.until, 'YYYY-MM-DD') FROM (
        SELECT max(imaging_kept_until(t.study_uid, t.owner, true,
                                      (w.row ->> 'received_at')::timestamptz)) AS until
        FROM imaging_trash t JOIN imaging_trash_row w ON w.trash = t.id
        WHERE t.id = %(trash)s AND w.blob IS NOT NULL AND {mine}) AS u"""
DROP = "DELETE FROM imaging_trash t WHERE t.id = %(trash)s AND {mine} RETURNING t.resource"


@dataclass(frozen=True, slots=True)
class Discarded:
    """One deletion: a study, a series of it, or one instance."""

    id: str
    deleted_at: datetime
    by: str
    study: str
    series: str | None
    instance: str | None
    instances: int


class Trash:
    """What was deleted; an organisation sees its own studies' only."""

    def __init__(self, fhir: FhirStore, blobs: Blobs, cold: Blobs | None = None) -> None:
        self._fhir = fhir
        self._cold = cold
        self._blobs = blobs

    async def discard(
        self,
        db: Database,
        study: str,
        series: str | None,
        instance: str | None,
        *,
        actor: Actor,
        now: datetime,
    ) -> str:
        """Delete what is addressed; the id under which the trash keeps it."""
        trash = new_id()
        place = {"trash": trash, "study": study, "series": series, "instance": instance}
        async with db.transaction() as tx:
            resource, owner, row = await held(tx, study, WHOLE, actor=actor)
            who = {"actor": actor.id, "name": actor.name, "owner": owner, "now": now}
            await tx.execute(OPEN, {**place, **who, "resource": resource})
            if (await tx.execute(MOVE_INSTANCES, place)).rowcount == 0:
                raise NotFound("wado.nothing-there")
            await tx.execute(MOVE_SERIES, place)
            if await (await tx.execute(EMPTY_STUDY, place)).fetchone():
                current = await self._fhir.read(tx, "ImagingStudy", resource, actor=actor)
                content = orjson.dumps(current.data).decode()
                await tx.execute(KEEP_STUDY, (row, content, trash))
                await self._fhir.delete(tx, "ImagingStudy", resource, actor=actor, now=now)
            else:
                await tx.execute(CHANGED, (study,))
            await _audit(tx, "dicom.delete", resource, actor, now)
        await settling.settle(db, self._fhir, [study], now=now)
        return trash

    async def restore(self, db: Database, trash: str, *, actor: Actor, now: datetime) -> str:
        """Everything of one deletion as it was; the study's UID."""
        async with db.transaction() as tx:
            resource, study, row, content = await _taken(tx, trash, actor)
            if await _count(tx, TAKEN, trash) or await _count(tx, OTHER_PATIENT, trash):
                raise Conflict("imaging.sent-again", study=study)
            there = await (await tx.execute(IS_THERE, (study,))).fetchone()
            if there is None:
                if row is None:
                    raise Conflict("imaging.study-deleted", study=study)
                back = body.of(orjson.loads(content))
                await self._fhir.update(tx, back, actor=actor, now=now)
                await tx.execute(PUT_BACK_STUDY, (trash,))
            await tx.execute(PUT_BACK_SERIES, (trash,))
            await tx.execute(PUT_BACK_INSTANCES, (trash,))
            await tx.execute(CHANGED, (study,))
            await tx.execute("DELETE FROM imaging_trash WHERE id = %s", (trash,))
            await _audit(tx, "dicom.restore", there[0] if there else resource, actor, now)
        await settling.settle(db, self._fhir, [study], now=now)
        return str(study)

    async def discarded(
        self, connection: Connection, *, actor: Actor, limit: int = 100, offset: int = 0
    ) -> Sequence[Discarded]:
        """The deletions that can be undone, newest first."""
        mine, values = _mine(actor)
        statement = LIST.format(mine=mine).encode()
        bounds = {"limit": limit, "offset": offset}
        rows = await (await connection.execute(statement, {**values, **bounds})).fetchall()
        return [Discarded(*row) for row in rows]

    async def empty(self, db: Database, trash: str, *, actor: Actor, now: datetime) -> None:
        """One deletion made final: bytes that nothing else refers to are gone."""
        mine, values = _mine(actor)
        async with db.transaction() as tx:
            await _require_not_kept(tx, trash, mine, values)
            blobs = await (await tx.execute(BLOBS_OF, (trash,))).fetchall()
            dropped = await (
                await tx.execute(DROP.format(mine=mine).encode(), {"trash": trash, **values})
            ).fetchone()
            if dropped is None:
                raise NotFound("imaging.not-in-the-trash")
            await _audit(tx, "dicom.empty-trash", dropped[0], actor, now)
        for uid, blob in blobs:
            if await let_go(db, self._blobs, uid, blob) and self._cold:
                await self._cold.delete(blob)


async def _require_not_kept(tx: Connection, trash: str, mine: str, values: dict[str, Any]) -> None:
    """The database refuses too, with fewer words (0032.imaging-keeping)."""
    statement = KEPT_UNTIL.format(mine=mine).encode()
    row = await (await tx.execute(statement, {"trash": trash, **values})).fetchone()
    if row and row[0]:
        raise Conflict("imaging.held")
    if row and row[1]:
        raise Conflict("imaging.retained", until=row[1])


async def _taken(tx: Connection, trash: str, actor: Actor) -> tuple[Any, ...]:
    mine, values = _mine(actor)
    statement = TAKE_BACK.format(mine=mine).encode()
    row = await (await tx.execute(statement, {"trash": trash, **values})).fetchone()
    if row is None:
        raise NotFound("imaging.not-in-the-trash")
    return row


async def _count(tx: Connection, statement: str, trash: str) -> int:
    row = await (await tx.execute(statement.encode(), (trash,))).fetchone()
    return int(row[0]) if row else 0


async def _audit(tx: Connection, act: str, resource: str, actor: Actor, now: datetime) -> None:
    await audit.record(tx, actor=actor, act=act, at=now, resource=f"ImagingStudy/{resource}")


def _mine(actor: Actor) -> tuple[str, dict[str, Any]]:
    if actor.system_wide:
        return "TRUE", {}
    return "t.owner = %(organisation)s", {"organisation": actor.organisation}
