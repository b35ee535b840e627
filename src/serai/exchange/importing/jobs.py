"""The work behind $import: NDJSON uploaded or fetched, imported with the rights of who asked.

The ledger of imports knows what is in, so a killed job repeats nothing; what is refused is
written to a file of OperationOutcomes that the job's manifest lists.
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from io import StringIO
from pathlib import Path

from rich.console import Console

from serai.exchange.importing.door import Door
from serai.exchange.importing.inputs import Fetching, Given, fetched, received
from serai.exchange.importing.outcomes import tell
from serai.exchange.importing.progress import ProgressLine
from serai.exchange.importing.recognise import Form
from serai.exchange.importing.running import import_records
from serai.exchange.importing.sources import Source
from serai.exchange.importing.tally import Tally
from serai.fhir.bulk import files
from serai.fhir.bulk.inputs import of_job
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.platform.blobs import Blobs
from serai.platform.running import Running, stopped_within

TELL_EVERY_S = 0.5


async def run(
    running: Running, *, store: FhirStore, blobs: Blobs, keep_hours: int, fetching: Fetching
) -> timedelta:
    """From what the ledger does not have to the end."""
    tally = Tally()
    if wanted := of_job(running.job.parameters):
        await fetched(running, blobs, fetching, wanted)
        given = received(running.job.state, wanted, tally)
    else:
        async with running.db.connection() as connection:
            found = await files.of_job(connection, running.job.id)
        given = [Given(one.name, one.digest) for one in found if one.list == "input"]
    with tempfile.TemporaryDirectory(prefix="serai-import-") as folder:
        sources = [await _source(Path(folder), blobs, one) for one in given]
        actor = running.job.actor
        line = ProgressLine(Console(file=StringIO()), lambda: "")
        archive = Archive(store, blobs)
        door = Door(running.db, store, archive, actor, actor.organisation, line, tally)
        await _watched(running, door, sources)
    if not running.job.state.get("told"):
        await tell(running, blobs, wanted, given, tally)
    return timedelta(hours=keep_hours)


async def _source(folder: Path, blobs: Blobs, one: Given) -> Source:
    """A file on this machine, because an import reads it more than once."""
    path = folder / one.place
    with await asyncio.to_thread(path.open, "wb") as spool:
        async for part in blobs.stream(one.digest):
            await asyncio.to_thread(spool.write, part)
    size = path.stat().st_size
    return Source(one.place, size, Form.NDJSON, lambda: path.open("rb"), path, type=one.type)


async def _watched(running: Running, door: Door, sources: list[Source]) -> None:
    """The import, and beside it the checkpoints that tell how far it is; either ends both."""
    work = asyncio.ensure_future(import_records(door, sources))
    over = asyncio.Event()
    work.add_done_callback(lambda _: over.set())
    try:
        while not await stopped_within(over, TELL_EVERY_S):
            running.go_on()
            await _tell(running, door)
        work.result()
        await _tell(running, door)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _tell(running: Running, door: Door) -> None:
    async with running.db.transaction() as tx:
        tally = door.tally
        done = tally.before.total + tally.resources.total
        await running.move(tx, running.job.state, done=done)
