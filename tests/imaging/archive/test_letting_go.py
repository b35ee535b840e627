from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.imaging.objects import a_picture

from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive, receive
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform.blobs import Blobs
from serai.platform.db import Database


class SlowToDelete(Blobs):
    """A store on a slow disk: between looking for rows and deleting, others get their turn."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.about_to = asyncio.Event()
        self.pause_s = 0.0

    async def delete(self, digest: str) -> None:
        self.about_to.set()
        await asyncio.sleep(self.pause_s)
        await super().delete(digest)


@pytest.fixture
def blobs(tmp_path: Path) -> SlowToDelete:
    return SlowToDelete(tmp_path)


@pytest.fixture
def archive(blobs: SlowToDelete) -> Archive:
    return Archive(FhirStore(), blobs)


async def send(archive: Archive, db: Database, content: bytes) -> str:
    """The blob of what has been acknowledged."""
    received = receive(content)
    (outcome,) = await archive.intake(db, serai_itself).keep([received], now=utc_now())
    assert outcome.error is None
    return received.digest()


async def discard(archive: Archive, db: Database, study: str) -> str:
    return await archive.trash.discard(db, study, None, None, actor=serai_itself, now=utc_now())


async def empty(archive: Archive, db: Database, trash: str) -> None:
    await archive.trash.empty(db, trash, actor=serai_itself, now=utc_now())


@pytest.mark.parametrize("size", [8 * 8, 1024 * 1024])
async def test_what_is_sent_again_while_the_trash_is_emptied_stays(
    archive: Archive, blobs: SlowToDelete, db: Database, size: int
) -> None:
    content = a_picture(StudyInstanceUID="1.2.3", PixelData=bytes(size))
    await send(archive, db, content)
    trash = await discard(archive, db, "1.2.3")
    blobs.pause_s = 0.3
    emptying = asyncio.create_task(empty(archive, db, trash))
    await blobs.about_to.wait()
    blob = await send(archive, db, content)
    await emptying
    assert await blobs.get(blob) == content
    assert await archive.restore() == 0


async def test_emptying_and_sending_again_in_any_order_never_loses_a_picture(
    archive: Archive, blobs: SlowToDelete, db: Database
) -> None:
    content = a_picture(StudyInstanceUID="1.2.3")
    blob = await send(archive, db, content)
    for turn in range(25):
        trash = await discard(archive, db, "1.2.3")
        blobs.pause_s = 0.002 * (turn % 3)
        await asyncio.gather(empty(archive, db, trash), send(archive, db, content))
        assert await blobs.get(blob) == content


async def test_what_was_emptied_from_the_trash_is_not_written_again_at_the_next_start(
    archive: Archive, blobs: SlowToDelete, db: Database
) -> None:
    blob = await send(archive, db, a_picture(StudyInstanceUID="1.2.3"))
    await empty(archive, db, await discard(archive, db, "1.2.3"))
    assert await archive.restore() == 0
    assert not await blobs.has(blob)


async def test_a_picture_whose_file_is_missing_is_mended_by_sending_it_again(
    archive: Archive, blobs: SlowToDelete, db: Database
) -> None:
    content = a_picture(StudyInstanceUID="1.2.3")
    blob = await send(archive, db, content)
    path = blobs.local(blob)
    assert path
    path.unlink()
    assert await send(archive, db, content) == blob
    assert await blobs.get(blob) == content
