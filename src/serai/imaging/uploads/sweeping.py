"""Uploads that nobody goes on with are forgotten, and their bytes deleted."""

from __future__ import annotations

import asyncio
from pathlib import Path

from serai.fhir.store import FhirStore
from serai.imaging.uploads import records
from serai.imaging.uploads.parts import Parts
from serai.kernel.clock import utc_now
from serai.platform.db import Database
from serai.platform.running import stopped_within

EVERY_S = 900.0


async def sweep(db: Database, home: Path) -> int:
    parts, now = Parts(home), utc_now()
    async with db.connection() as connection:
        gone = await records.expired(connection, now=now)
    for id in gone:
        await asyncio.to_thread(parts.remove, id)
    await asyncio.to_thread(parts.remove_older, (now - 2 * records.KEPT_FOR).timestamp())
    return len(gone)


async def sweep_until(home: Path, db: Database, _store: FhirStore, stop: asyncio.Event) -> None:
    """`sweep` now and then."""
    while not stop.is_set():
        await sweep(db, home)
        await stopped_within(stop, EVERY_S)
