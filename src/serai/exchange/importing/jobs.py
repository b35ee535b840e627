"""The work behind $import: NDJSON uploaded or fetched, imported with the rights of who asked.

The ledger of imports knows what is in, so a killed job repeats nothing; what is refused is
written to a file of OperationOutcomes that the job's manifest lists.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

from rich.console import Console

from serai.exchange.importing.door import Door
from serai.exchange.importing.progress import ProgressLine
from serai.exchange.importing.recognise import Form
from serai.exchange.importing.running import import_records
from serai.exchange.importing.sources import Source
from serai.exchange.importing.tally import Refused, Tally
from serai.fhir import body
from serai.fhir.bulk import files
from serai.fhir.bulk.files import File
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.kernel.errors import Unavailable
from serai.platform.blobs import Blobs
from serai.platform.running import Running, stopped_within

TELL_EVERY_S = 0.5


async def run(running: Running, *, store: FhirStore, blobs: Blobs, keep_hours: int) -> timedelta:
    """From what the ledger does not have to the end."""
    async with running.db.connection() as connection:
        given = [one for one in await files.of_job(connection, running.job.id) if _is_input(one)]
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="serai-import-") as folder:
        sources = [await _source(Path(folder), blobs, one) for one in given]
        actor = running.job.actor
        line = ProgressLine(Console(file=StringIO()), lambda: "")
        archive = Archive(store, blobs)
        door = Door(running.db, store, archive, actor, actor.organisation, line, tally)
        await _watched(running, door, sources)
    if tally.refusals:
        await _list_refusals(running, blobs, list(tally.refusals.values()))
    return timedelta(hours=keep_hours)


def _is_input(file: File) -> bool:
    return file.list == "input"


async def _source(folder: Path, blobs: Blobs, file: File) -> Source:
    """A file on this machine, because an import reads it more than once."""
    path = folder / file.name
    with await asyncio.to_thread(path.open, "wb") as spool:
        async for part in blobs.stream(file.digest):
            await asyncio.to_thread(spool.write, part)
    size = path.stat().st_size
    return Source(file.name, size, Form.NDJSON, lambda: path.open("rb"), path)


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
        await running.move(tx, {}, done=tally.before.total + tally.resources.total)


async def _list_refusals(running: Running, blobs: Blobs, refused: list[Refused]) -> None:
    digest = await blobs.put(_outcomes(refused))
    async with running.db.transaction() as tx:
        listed = await files.record(
            tx,
            blobs,
            running.job.id,
            list="error",
            type="OperationOutcome",
            digest=digest,
            count=len(refused),
        )
    if not listed:
        raise Unavailable("job.gave-up")


async def _outcomes(refused: list[Refused]) -> AsyncIterator[bytes]:
    for one in refused:
        issue = {
            "severity": "error",
            "code": "processing",
            "details": {
                "coding": [{"system": "https://serai.health/fhir/errors", "code": one.key}]
            },
            "diagnostics": f"{one.file}, {one.place}: {one.reason}",
        }
        yield body.encode({"resourceType": "OperationOutcome", "issue": [issue]}) + b"\n"
