"""Dead letters that nobody sent again are deleted in the end: they tell who changed what, when."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import queue
from serai.kernel.clock import utc_now
from serai.platform.db import Database
from serai.platform.running import stopped_within

LOOK_EVERY_S = 3600.0

log = logging.getLogger(__name__)


async def forget(db: Database, kept: timedelta, now: datetime) -> int:
    """How many letters went; in small steps, each its own transaction."""
    gone = 0
    while True:
        async with db.connection() as connection:
            some = await queue.bury(connection, now - kept)
        if not some:
            return gone
        gone += some


async def forget_until(days: int, db: Database, _store: FhirStore, stop: asyncio.Event) -> None:
    """`forget` now and then."""
    while not stop.is_set():
        if gone := await forget(db, timedelta(days=days), utc_now()):
            log.info("%s dead letters of subscriptions were older than %s days", gone, days)
        await stopped_within(stop, LOOK_EVERY_S)
