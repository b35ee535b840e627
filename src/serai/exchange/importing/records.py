"""FHIR files into the store, each part with its line in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import psycopg

from serai.exchange.importing import ledger
from serai.exchange.importing.beside import WORTH_IT, Beside
from serai.exchange.importing.chunks import Chunk, chunks
from serai.exchange.importing.door import Door
from serai.exchange.importing.ledger import Counts, File, Progress, Refusal, Step
from serai.exchange.importing.lines import chunks_of_lines
from serai.exchange.importing.parcel import keep
from serai.exchange.importing.reading import Part, parts
from serai.exchange.importing.recognise import Form
from serai.exchange.importing.sources import Source
from serai.exchange.importing.texts import reason
from serai.fhir.interaction.retrying import again_on_collision
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid, SeraiError, Unavailable

# A power cut may take the last moments of an import, ledger and records together; the file's
# last transaction waits for the disk and so vouches for all before it.
RELAXED = "SET LOCAL synchronous_commit TO off"


async def import_file(
    door: Door, source: Source, digest: str, before: Progress, *, beside: Beside
) -> None:
    """Import what the ledger does not have yet."""
    file = File(digest, door.organisation or "", source.place, source.form)
    if source.form is Form.NDJSON and source.size >= WORTH_IT and not before.finished:
        await beside.start()
        found = chunks_of_lines(source, beside, door.organisation)
    else:
        found = _read_ahead(source)
    async with aclosing(found) as waiting:
        async for chunk in waiting:
            await _import_chunk(door, file, chunk, before)
            door.progress.advance(chunk.size)


async def _read_ahead(source: Source) -> AsyncGenerator[Chunk, None]:
    """The next chunk is read while one is written."""
    waiting = chunks(parts(source))
    chunk = await asyncio.to_thread(next, waiting, None)
    while chunk is not None:
        coming = asyncio.ensure_future(asyncio.to_thread(next, waiting, None))
        try:
            yield chunk
        finally:
            # A thread cannot be called off; nobody else may read on before it is done.
            following = await coming
        chunk = following


async def _import_chunk(door: Door, file: File, chunk: Chunk, before: Progress) -> None:
    """All wanted parts at once; when one of them is refused, in halves until it is alone."""
    left = [([part for part in chunk.parts if before.wants(part.position)], chunk.end, chunk.last)]
    while left:
        wanted, end, last = left.pop()
        if not wanted or await _kept(door, file, wanted, Step(end, finished=last)):
            continue
        middle = len(wanted) // 2
        left.append((wanted[middle:], end, last))
        left.append((wanted[:middle], wanted[middle - 1].position + 1, False))


async def _kept(door: Door, file: File, wanted: Sequence[Part], step: Step) -> bool:
    """Whether these parts are settled: in, or refused because what is refused stands alone."""
    readable = [part for part in wanted if part.error is None]
    unread = [refusal(part, part.error) for part in wanted if part.error is not None]
    try:
        await _keep(door, file, readable, replace(step, refused=unread))
    except Unavailable:
        # The server has a problem, not the file: stop, so that the next run takes it up here.
        raise
    except SeraiError as error:
        if len(wanted) > 1:
            return False
        await _keep(door, file, [], replace(step, refused=[refusal(wanted[0], error)]))
    return True


async def _keep(door: Door, file: File, wanted: Sequence[Part], step: Step) -> None:
    """Write the parts and the step down, in one transaction."""
    accepted = [part.position for part in wanted]

    async def attempt() -> Counts:
        now = utc_now()
        async with door.db.transaction() as tx:
            if not step.finished:
                await tx.execute(RELAXED)
            counts = await keep(tx, door, wanted, now=now) if wanted else Counts()
            done = replace(step, accepted=accepted, counts=counts)
            await ledger.record(tx, file, done, now=now)
        return counts

    try:
        counts = await again_on_collision(attempt)
    except psycopg.DataError as error:
        raise Invalid("import.not-storable") from error
    door.tally.resources += counts
    for position in accepted:
        door.tally.accepted(file.place, position)
    for one in step.refused:
        door.tally.refused(file.place, one)


def refusal(part: Part, error: SeraiError) -> Refusal:
    """What is written down; the next run tries again."""
    return Refusal(part.position, part.place, error.key, reason(error))
