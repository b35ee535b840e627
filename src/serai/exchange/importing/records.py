"""FHIR files into the store, each part with its line in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg

from serai.exchange.importing import ledger
from serai.exchange.importing.chunks import Chunk, chunks
from serai.exchange.importing.door import Door
from serai.exchange.importing.ledger import Counts, File, Progress, Refusal, Step
from serai.exchange.importing.parcel import keep
from serai.exchange.importing.reading import Part, parts
from serai.exchange.importing.sources import Source
from serai.exchange.importing.texts import reason
from serai.fhir.interaction.retrying import again_on_collision
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid, SeraiError, Unavailable


async def import_file(door: Door, source: Source, digest: str, before: Progress) -> None:
    """Import what the ledger does not have yet."""
    file = File(digest, door.organisation or "", source.place, source.form)
    for chunk in chunks(parts(source)):
        await _import_chunk(door, file, chunk, before)
        door.progress.advance(chunk.size)


async def _import_chunk(door: Door, file: File, chunk: Chunk, before: Progress) -> None:
    """All wanted parts at once; when one of them is refused, each by itself."""
    wanted = [part for part in chunk.parts if before.wants(part.position)]
    if not wanted:
        return
    readable = all(part.error is None for part in wanted)
    if readable and await _kept(door, file, wanted, Step(chunk.end, finished=chunk.last)):
        return
    for part in wanted:
        step = Step(part.position + 1, finished=chunk.last and part is wanted[-1])
        await _keep_or_refuse(door, file, part, step)


async def _kept(door: Door, file: File, wanted: Sequence[Part], step: Step) -> bool:
    """Whether several parts went in together."""
    try:
        await _keep(door, file, wanted, step)
    except Unavailable:
        raise
    except SeraiError:
        return False
    return True


async def _keep_or_refuse(door: Door, file: File, part: Part, step: Step) -> None:
    try:
        if part.error is not None:
            raise part.error
        await _keep(door, file, [part], step)
    except Unavailable:
        # The server has a problem, not the file: stop, so that the next run takes it up here.
        raise
    except SeraiError as error:
        await refuse(door, file, Refusal(part.position, part.place, error.key, reason(error)), step)


async def _keep(door: Door, file: File, wanted: Sequence[Part], step: Step) -> None:
    entries = [entry for part in wanted for entry in part.entries]
    accepted = [part.position for part in wanted]

    async def attempt() -> Counts:
        now = utc_now()
        async with door.db.transaction() as tx:
            counts = await keep(tx, door, entries, now=now)
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


async def refuse(door: Door, file: File, refusal: Refusal, step: Step) -> None:
    """Write a refusal down; the next run tries again."""
    async with door.db.transaction() as tx:
        await ledger.record(tx, file, replace(step, refused=[refusal]), now=utc_now())
    door.tally.refused(file.place, refusal)
