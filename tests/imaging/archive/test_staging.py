from __future__ import annotations

from pathlib import Path

import pytest
from tests.imaging.objects import a_picture, uid

from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive, receive
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform.blobs import Blobs
from serai.platform.db import Database


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(FhirStore(), Blobs(tmp_path))


async def kept(archive: Archive, db: Database, *contents: bytes) -> list[str]:
    """Stored and acknowledged; the blobs."""
    intake = archive.intake(db, serai_itself)
    outcomes = await intake.keep([receive(content) for content in contents], now=utc_now())
    assert not any(outcome.error for outcome in outcomes)
    return [outcome.received.digest() for outcome in outcomes]


async def staged(db: Database) -> int:
    async with db.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM imaging_staged")).fetchone()
    assert row
    return int(row[0])


async def test_what_a_crash_takes_of_an_acknowledged_picture_is_written_again(
    archive: Archive, db: Database
) -> None:
    contents = [a_picture(StudyInstanceUID="1.2.3") for _ in range(4)]
    blobs = await kept(archive, db, *contents)
    lost, emptied, zeroed, whole = (archive.blobs.local(blob) for blob in blobs)
    assert lost
    assert emptied
    assert zeroed
    assert whole
    lost.unlink()
    emptied.write_bytes(b"")
    zeroed.write_bytes(bytes(len(contents[2])))
    assert await archive.restore(db) == 3
    assert [await archive.blobs.get(blob) for blob in blobs] == contents
    assert await staged(db) == 0


async def test_synced_pictures_are_not_kept_twice(archive: Archive, db: Database) -> None:
    series = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1"}
    await kept(archive, db, a_picture(**series), a_picture(**series))
    assert await staged(db) == 2
    assert await archive.sync(db) == 2
    assert await staged(db) == 0
    assert await archive.sync(db) == 0


async def test_every_picture_of_a_series_is_staged_with_its_index_row(
    archive: Archive, db: Database
) -> None:
    intake = archive.intake(db, serai_itself)
    for _ in range(3):
        content = a_picture(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1")
        await intake.keep([receive(content)], now=utc_now())
    assert await staged(db) == 3


async def test_a_torn_file_left_by_a_crash_is_no_picture_for_the_next_sender(
    archive: Archive, db: Database
) -> None:
    content = a_picture()
    blob = receive(content).digest()
    (other,) = await kept(archive, db, a_picture())
    path = archive.blobs.local(other)
    assert path
    torn = path.parents[2] / blob[:2] / blob[2:4] / blob
    torn.parent.mkdir(parents=True, exist_ok=True)
    torn.write_bytes(bytes(len(content)))
    assert await kept(archive, db, content) == [blob]
    assert await archive.blobs.get(blob) == content
    assert uid(content)


async def test_a_refused_picture_leaves_nothing_staged(archive: Archive, db: Database) -> None:
    intake = archive.intake(db, serai_itself)
    first = a_picture(SOPInstanceUID="1.2.3.4", StudyInstanceUID="1.2.3")
    other = a_picture(SOPInstanceUID="1.2.3.4", StudyInstanceUID="1.2.3", PixelData=bytes(64))
    await intake.keep([receive(first)], now=utc_now())
    (outcome,) = await intake.keep([receive(other)], now=utc_now())
    assert outcome.error
    assert await staged(db) == 1
