"""Objects come back as they were put, once, and survive what a power cut leaves."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serai.kernel.errors import NotFound, TooLarge, Unavailable
from serai.platform.blobs import UNFINISHED_FOR_S, Blobs

PICTURE = bytes(range(256)) * 5000
NAME = hashlib.sha256(PICTURE).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


def files(home: Path) -> list[Path]:
    return sorted(path for path in home.rglob("*") if path.is_file())


async def in_parts(data: bytes, size: int = 70_001) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_an_object_is_named_by_its_content_and_kept_once(
    blobs: Blobs, tmp_path: Path
) -> None:
    assert await blobs.put(PICTURE) == NAME
    assert await blobs.put(in_parts(PICTURE)) == NAME
    assert blobs.put_sync(PICTURE) == NAME
    assert files(tmp_path) == [tmp_path / "blobs" / NAME[:2] / NAME[2:4] / NAME]
    assert await blobs.get(NAME) == PICTURE


@given(st.binary(max_size=200), st.integers(0, 210), st.integers(1, 210))
@settings(max_examples=25, deadline=None)
def test_any_part_of_an_object_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: int, length: int
) -> None:
    async def read() -> None:
        blobs = Blobs(tmp_path_factory.getbasetemp() / "ranges")
        name = await blobs.put(data)
        assert await blobs.get(name) == data
        assert b"".join([part async for part in blobs.stream(name)]) == data
        if start < len(data):
            assert await blobs.get_range(name, start, length) == data[start : start + length]

    asyncio.run(read())


async def test_the_same_picture_from_many_senders_at_once_is_one_object(
    blobs: Blobs, tmp_path: Path
) -> None:
    names = await asyncio.gather(*(blobs.put(in_parts(PICTURE)) for _ in range(8)))
    assert set(names) == {NAME}
    assert len(files(tmp_path)) == 1


async def test_a_file_cut_short_by_a_crash_is_written_again(blobs: Blobs, tmp_path: Path) -> None:
    target = tmp_path / "blobs" / NAME[:2] / NAME[2:4] / NAME
    target.parent.mkdir(parents=True)
    target.write_bytes(PICTURE[:100])
    await blobs.put(PICTURE)
    assert await blobs.get(NAME) == PICTURE


async def test_an_upload_that_breaks_off_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield PICTURE
        raise TooLarge("upload.too-large")

    with pytest.raises(TooLarge):
        await blobs.put(broken())
    assert files(tmp_path) == []


async def test_what_crashed_uploads_left_is_removed_after_a_day(
    blobs: Blobs, tmp_path: Path
) -> None:
    old, young = (tmp_path / "blobs.unfinished" / name for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half a picture")
    long_ago = time.time() - UNFINISHED_FOR_S - 1
    os.utime(old, (long_ago, long_ago))
    blobs.remove_unfinished()
    assert files(tmp_path) == [young]


async def test_a_deleted_object_is_gone_and_may_be_deleted_again(blobs: Blobs) -> None:
    await blobs.put(PICTURE)
    await blobs.delete(NAME)
    await blobs.delete(NAME)
    for read in (blobs.get(NAME), blobs.get_range(NAME, 0, 1)):
        with pytest.raises(NotFound):
            await read


async def test_what_was_made_from_an_object_goes_with_it(blobs: Blobs) -> None:
    digest, other = [await blobs.put(content) for content in (b"a film", b"another")]
    blobs.derived.mkdir(parents=True)
    made, others = (blobs.derived / f"{each}.25.mp4" for each in (digest, other))
    for path in (made, others):
        path.write_bytes(b"mp4")
    await blobs.delete(digest)
    assert (made.exists(), others.exists()) == (False, True)


@pytest.mark.parametrize("name", ["", "..", "../" * 20 + "etc/passwd", "a" * 63, "A" * 64])
async def test_only_a_digest_names_an_object(blobs: Blobs, name: str) -> None:
    with pytest.raises(NotFound):
        await blobs.get(name)


async def test_a_full_disk_is_said_so(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for data in (PICTURE, in_parts(PICTURE)):
        with pytest.raises(Unavailable) as refused:
            await blobs.put(data)
        assert refused.value.key == "storage.full"


async def test_every_folder_on_the_way_is_synced_before_put_returns(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fsync has seen when `put` returns is what a power cut leaves."""
    synced: list[str] = []
    sync: Callable[[int], None] = os.fsync

    def watched(descriptor: int) -> None:
        sync(descriptor)
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", watched)
    await blobs.put(PICTURE)
    top = tmp_path / "blobs"
    assert synced[0].startswith(str(tmp_path / "blobs.unfinished"))
    assert set(synced[1:]) == {str(top), str(top / NAME[:2]), str(top / NAME[:2] / NAME[2:4])}


async def test_an_object_store_does_what_the_files_do(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path, "memory:///")
    assert await blobs.put(in_parts(PICTURE)) == NAME
    assert await blobs.put(PICTURE) == NAME
    assert await blobs.get(NAME) == PICTURE
    assert await blobs.get_range(NAME, 5, 7) == PICTURE[5:12]
    assert b"".join([part async for part in blobs.stream(NAME)]) == PICTURE
    await blobs.delete(NAME)
    await blobs.delete(NAME)
    with pytest.raises(NotFound):
        await blobs.get(NAME)
    assert files(tmp_path) == []


async def test_an_object_store_that_is_no_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        Blobs(tmp_path, "s4:/nowhere")
    assert refused.value.key == "storage.address-malformed"


BIG_PUT = """
import asyncio, resource, sys
from pathlib import Path
from serai.platform.blobs import Blobs

async def gigabyte():
    for number in range(256):
        yield bytes([number]) * (1 << 20)

blobs = Blobs(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
asyncio.run(blobs.put(gigabyte()))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_large_upload_takes_little_memory(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BIG_PUT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(ended.stdout) < 40
