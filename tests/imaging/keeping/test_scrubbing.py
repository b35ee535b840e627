from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.imaging.archive.test_intake import COUNTY, TOWNSHIP, keep
from tests.imaging.keeping.working import again, begun
from tests.imaging.objects import a_picture, uid

from serai.fhir.bulk import files
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive, receive
from serai.imaging.keeping import findings
from serai.imaging.keeping.scrubbing import scrub
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.clock import utc_now
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.running import Paused

NOW = utc_now()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(FhirStore(), Blobs(tmp_path))


def file_of(archive: Archive, content: bytes) -> Path:
    # Or what is missing would be made again from the log.
    archive.blobs.close()
    path = archive.blobs.local(receive(content).digest())
    assert path
    return path


async def found(db: Database, actor: Actor = COUNTY) -> set[tuple[str, str | None]]:
    async with db.connection() as connection:
        return {(each.kind, each.instance) for each in await findings.seen(connection, actor=actor)}


async def test_flipped_and_missing_bytes_are_found_and_what_is_mended_is_not_told_again(
    archive: Archive, db: Database
) -> None:
    flipped, missing, discarded, whole = (a_picture(StudyInstanceUID=f"1.{n}") for n in range(4))
    await keep(archive, db, flipped, missing, discarded, whole)
    await archive.trash.discard(db, "1.2", None, None, actor=serai_itself, now=NOW)
    file_of(archive, flipped).write_bytes(flipped[:-1] + b"\xff")
    file_of(archive, missing).unlink()
    file_of(archive, discarded).unlink()
    await scrub(await begun(db, "scrub"), hot=archive.blobs, cold=None)
    assert await found(db) == {
        ("damaged", uid(flipped)), ("missing", uid(missing)), ("missing", uid(discarded)),
    }  # fmt: skip
    assert await found(db, TOWNSHIP) == set()
    await keep(archive, db, missing)
    file_of(archive, flipped).write_bytes(flipped)
    await archive.blobs.put(discarded)
    await scrub(await begun(db, "scrub"), hot=archive.blobs, cold=None)
    assert await found(db) == set()


class Stopping(Blobs):
    """The server is told to stop after so many objects were read."""

    def __init__(self, home: Path, stop: asyncio.Event, *, after: int) -> None:
        super().__init__(home)
        self._stop = stop
        self._left = after

    async def stream(self, digest: str) -> AsyncIterator[bytes]:
        self._left -= 1
        if self._left == 0:
            self._stop.set()
        async for part in super().stream(digest):
            yield part


async def test_a_scrub_that_is_stopped_goes_on_where_it_was(
    archive: Archive, db: Database, tmp_path: Path
) -> None:
    contents = [a_picture(StudyInstanceUID=f"1.{number}") for number in range(5)]
    await keep(archive, db, *contents)
    file_of(archive, contents[4]).unlink()
    running = await begun(db, "scrub")
    stopping = Stopping(tmp_path, running.stop, after=3)
    with pytest.raises(Paused):
        await scrub(running, hot=stopping, cold=None, at_once=1)
    assert running.job.done == 3
    assert await found(db) == set()
    running = await again(db, running.job.id)
    await scrub(running, hot=archive.blobs, cold=None, at_once=1)
    assert (running.job.done, running.job.total) == (5, 5)
    assert await found(db) == {("missing", uid(contents[4]))}


async def test_only_what_nothing_refers_to_and_is_old_is_an_orphan(
    archive: Archive, db: Database
) -> None:
    kept, discarded = a_picture(StudyInstanceUID="1.1"), a_picture(StudyInstanceUID="1.2")
    await keep(archive, db, kept, discarded)
    await archive.trash.discard(db, "1.2", None, None, actor=serai_itself, now=NOW)
    blobs = archive.blobs
    listed, orphan = await blobs.put(b"listed"), await blobs.put(b"orphan")
    picture, fresh = await blobs.put(a_picture()), await blobs.put(b"fresh")
    running = await begun(db, "scrub")
    async with db.transaction() as tx:
        await files.record(
            tx, blobs, running.job.id, list="output", type="Patient", digest=listed, count=1
        )
    for path in (each for each in blobs_of(archive) if each.name != fresh):
        long_ago = (NOW - timedelta(days=8)).timestamp()
        os.utime(path, (long_ago, long_ago))
    await scrub(running, hot=blobs, cold=None)
    async with db.connection() as connection:
        told = await findings.seen(connection, actor=serai_itself)
    assert {(each.kind, each.blob) for each in told} == {("orphan", orphan), ("orphan", picture)}
    assert await blobs.has(orphan)
    await scrub(await begun(db, "scrub", {"delete_orphans": True}), hot=blobs, cold=None)
    assert {path.name for path in blobs_of(archive)} == {
        receive(kept).digest(), receive(discarded).digest(), listed, fresh,
    }  # fmt: skip
    async with db.connection() as connection:
        assert await findings.seen(connection, actor=serai_itself) == []


def blobs_of(archive: Archive) -> list[Path]:
    some = archive.blobs.unfinished("x").parent.parent / "blobs"
    return [path for path in some.rglob("*") if path.is_file()]
