"""Workitems that ended long ago go, unless somebody holds a deletion lock (PS3.4 §CC.2.1.3);
so do reports that nobody came for. And who is subscribed learns that the server began anew."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

import orjson

from serai.fhir.store import FhirStore
from serai.imaging.ups import reports
from serai.imaging.ups.store import CHANNEL, LISTENER_KEY
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform import audit
from serai.platform.db import Database
from serai.platform.running import stopped_within

LOOK_EVERY_S: Final = 3600.0
AT_ONCE: Final = 200
# A report tells what is so now; a day later the worklist itself tells it better.
REPORTS_KEPT: Final = timedelta(days=1)

ENDED = """DELETE FROM imaging_workitem w WHERE w.id IN (
        SELECT s.id FROM imaging_workitem s
        WHERE s.ended_at < %(before)s AND NOT EXISTS (
            SELECT 1 FROM imaging_workitem_subscription l
            WHERE l.workitem = s.id AND l.deletion_lock)
        ORDER BY s.ended_at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
    RETURNING w.id, w.patients"""
OLD_REPORTS = "DELETE FROM imaging_workitem_event WHERE at < %s"
TELL_ALL = f"""WITH listeners AS (
        SELECT organisation, subscriber FROM imaging_workitem_subscriber
        UNION SELECT organisation, subscriber FROM imaging_workitem_subscription),
    told AS (
        INSERT INTO imaging_workitem_event (organisation, subscriber, at, content)
        SELECT organisation, subscriber, %(now)s, %(content)s::jsonb FROM listeners
        RETURNING organisation, subscriber)
    SELECT pg_notify('{CHANNEL}', {LISTENER_KEY.format("told")}) FROM told"""  # noqa: S608

log = logging.getLogger(__name__)


async def forget(db: Database, kept: timedelta, now: datetime) -> int:
    """How many workitems went; in small steps, each with its audit lines."""
    gone = 0
    async with db.connection() as connection:
        await connection.execute(OLD_REPORTS, (now - REPORTS_KEPT,))
    while True:
        async with db.transaction() as tx:
            values = {"before": now - kept, "most": AT_ONCE}
            rows = await (await tx.execute(ENDED, values)).fetchall()
            for id, patients in rows:
                await audit.record(
                    tx,
                    actor=serai_itself,
                    act="ups.forget",
                    at=now,
                    resource=f"Workitem/{id}",
                    patients=patients,
                )
        gone += len(rows)
        if len(rows) < AT_ONCE:
            return gone


async def tell_restarted(db: Database, now: datetime) -> None:
    content = orjson.dumps(reports.restarted()).decode()
    async with db.transaction() as tx:
        await tx.execute(TELL_ALL.encode(), {"now": now, "content": content})


async def forget_until(days: int, db: Database, _store: FhirStore, stop: asyncio.Event) -> None:
    """`forget` now and then."""
    while not stop.is_set():
        if gone := await forget(db, timedelta(days=days), utc_now()):
            log.info("%s workitems ended more than %s days ago", gone, days)
        await stopped_within(stop, LOOK_EVERY_S)


async def begin_anew(db: Database, _store: FhirStore, stop: asyncio.Event) -> None:
    """SCP Status Change, once each time the server starts (§CC.2.4.3)."""
    await tell_restarted(db, utc_now())
    await stop.wait()
