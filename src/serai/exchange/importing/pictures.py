"""DICOM files into the archive, in batches, each file with its line in the ledger.

The archive acknowledges a batch before the ledger does. A crash in between costs only that
the next run offers those objects again and hears that they are there.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from serai.exchange.importing import ledger, limits
from serai.exchange.importing.door import Door
from serai.exchange.importing.ledger import Counts, File, Refusal, Step
from serai.exchange.importing.sources import CHUNK, Source, reading
from serai.exchange.importing.texts import reason
from serai.imaging.archive import Intake, Outcome, Received
from serai.imaging.ecg import receive
from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError, TooLarge, Unavailable


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file's bytes, in memory or on disk, under the name the ledger knows them by."""

    source: Source
    content: bytes | Path
    digest: str


async def import_pictures(door: Door, sources: Sequence[Source]) -> None:
    """Offer every file to the archive that the ledger does not have."""
    intake = door.archive.intake(door.db, door.actor)
    for batch in _batches(sources):
        with ExitStack() as stack:
            await _import_batch(door, intake, batch, stack)
        door.progress.advance(sum(source.size for source in batch))
    await intake.finish(now=utc_now())
    # Studies that an earlier run began and did not live to finish.
    await door.archive.settle_left(door.db, now=utc_now())


def _batches(sources: Sequence[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    for source in sources:
        size = sum(one.size for one in batch) + source.size
        full = len(batch) >= limits.PICTURES_AT_ONCE or size > limits.PICTURE_BYTES_AT_ONCE
        if batch and full:
            yield batch
            batch = []
        batch.append(source)
    if batch:
        yield batch


async def _import_batch(
    door: Door, intake: Intake, batch: Sequence[Source], stack: ExitStack
) -> None:
    loaded = []
    for source in batch:
        try:
            loaded.append(await asyncio.to_thread(_load, source, stack))
        except SeraiError as error:
            door.tally.saw(ledger.Progress())
            door.tally.refused(source.place, _refusal(error))
    async with door.db.connection() as connection:
        digests = [one.digest for one in loaded]
        known = await ledger.known(connection, digests, door.organisation or "")
    for one in loaded:
        door.tally.saw(known.get(one.digest, ledger.Progress()))
    await _offer(
        door,
        intake,
        [one for one in loaded if one.digest not in known or not known[one.digest].complete],
    )


def _load(source: Source, stack: ExitStack) -> Loaded:
    with reading(), source.open() as stream:
        content = stream.read(limits.PICTURE_IN_MEMORY + 1)
        if len(content) <= limits.PICTURE_IN_MEMORY:
            return Loaded(source, content, hashlib.sha256(content).hexdigest())
        path = source.path or _spooled(content, stream, stack)
    with reading(), path.open("rb") as file:
        return Loaded(source, path, hashlib.file_digest(file, "sha256").hexdigest())


def _spooled(begun: bytes, stream: IO[bytes], stack: ExitStack) -> Path:
    """A large picture out of an archive, as a file that the archive's reader can map."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="serai-import-"))
    path = Path(folder) / "picture"
    with path.open("wb") as spool:
        spool.write(begun)
        while part := stream.read(CHUNK):
            spool.write(part)
            if spool.tell() > limits.PICTURE_UNPACKED:
                raise TooLarge("import.too-large", most=limits.PICTURE_UNPACKED >> 20)
    return path


async def _offer(door: Door, intake: Intake, loaded: Sequence[Loaded]) -> None:
    results: list[tuple[Loaded, Outcome | SeraiError]] = []
    received: list[tuple[Loaded, Received]] = []
    for one in loaded:
        try:
            received.append((one, await asyncio.to_thread(receive, one.content)))
        except SeraiError as error:
            results.append((one, error))
    outcomes = await intake.keep([object for _, object in received], now=utc_now())
    results += zip((one for one, _ in received), outcomes, strict=True)
    await _acknowledge(door, results)


async def _acknowledge(door: Door, results: Sequence[tuple[Loaded, Outcome | SeraiError]]) -> None:
    async with door.db.transaction() as tx:
        for one, result in results:
            step = _step(result)
            source = one.source
            file = File(one.digest, door.organisation or "", source.place, source.form)
            await ledger.record(tx, file, step, now=utc_now())
    for one, result in results:
        step = _step(result)
        door.tally.pictures += step.counts
        for refusal in step.refused:
            door.tally.refused(one.source.place, refusal)


def _step(result: Outcome | SeraiError) -> Step:
    error = result if isinstance(result, SeraiError) else result.error
    if isinstance(error, Unavailable):
        raise error
    if error is not None:
        return Step(1, finished=True, refused=[_refusal(error)])
    already = isinstance(result, Outcome) and result.already
    counts = Counts(unchanged=1) if already else Counts(created=1)
    return Step(1, finished=True, accepted=[0], counts=counts)


def _refusal(error: SeraiError) -> Refusal:
    return Refusal(0, "", error.key, reason(error))
