"""The log of blobs: what it has taken survives a crash, and it never grows."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.platform.test_blobs import files

from serai.kernel.errors import Unavailable
from serai.platform import blob_filing, blob_log
from serai.platform.blob_log import RECORD, BlobLog, Record, copy_out, replay
from serai.platform.blobs import Blobs

PICTURE = b"\x10\x20" * 200_000


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def kept(blobs: Blobs, content: bytes) -> str:
    blobs.keep_logged(digest(content), content)
    return digest(content)


def replayed(folder: Path) -> list[bytes]:
    found: list[bytes] = []

    def restore(_: str, content: bytes) -> bool:
        found.append(content)
        return True

    assert replay(folder, restore, lambda: None) == len(found)
    return found


CRASH = """import os, sys
from pathlib import Path
from tests.platform.test_blob_log import kept
from serai.platform.blobs import Blobs
blobs = Blobs(Path(sys.argv[1]))
for number in range(3):
    print(kept(blobs, bytes([number]) * 300_000), flush=True)
os.kill(os.getpid(), 9)"""


async def test_what_a_crash_took_is_given_back_by_the_log(tmp_path: Path) -> None:
    crashed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CRASH, str(tmp_path)],
        stdout=subprocess.PIPE,
        check=False,
    )
    names = crashed.stdout.decode().split()
    assert len(names) == 3
    blobs = Blobs(tmp_path)
    # Whatever files had been made: everything is there at once.
    for number, name in enumerate(names):
        assert await blobs.get(name) == bytes([number]) * 300_000
    lost, zeroed, whole = (blobs.local(name) for name in names)
    assert lost
    assert zeroed
    assert whole
    lost.unlink()
    zeroed.write_bytes(bytes(300_000 - 1) + b"\1")
    assert blobs.replay_log() == 2
    for number, name in enumerate(names):
        assert await blobs.get(name) == bytes([number]) * 300_000
    assert files(tmp_path / "blobs.log") == []
    assert blobs.replay_log() == 0


@pytest.fixture
def filing(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No log's owner makes files before this is set."""
    may = threading.Event()

    def when_it_may(record: Record, path: Path) -> None:
        assert may.wait(10)
        copy_out(record, path)

    monkeypatch.setattr(blob_filing, "copy_out", when_it_may)
    return may


async def test_an_object_without_a_file_is_read_by_every_process(
    filing: threading.Event, tmp_path: Path
) -> None:
    owner, other = Blobs(tmp_path), Blobs(tmp_path)
    name = kept(owner, PICTURE)
    assert files(tmp_path / "blobs") == []
    assert await other.get_range(name, 2, 4) == PICTURE[2:6]
    assert await owner.get(name) == PICTURE
    assert await other.has(name)
    assert not await other.has(digest(b"never kept"))
    filing.set()
    owner.close()
    assert [path.name for path in files(tmp_path / "blobs")] == [name]
    assert files(tmp_path / "blobs.unfinished") == []


async def test_what_is_deleted_before_it_has_a_file_stays_deleted(
    filing: threading.Event, tmp_path: Path
) -> None:
    owner, other = Blobs(tmp_path), Blobs(tmp_path)
    name, stays = kept(owner, PICTURE), kept(owner, PICTURE[2:])
    await other.delete(name)
    assert not owner.is_wanted(name)
    assert not await owner.has(name)
    filing.set()
    owner.close()
    assert [path.name for path in files(tmp_path / "blobs")] == [stays]


async def test_what_was_deleted_is_kept_when_it_comes_again(
    filing: threading.Event, tmp_path: Path
) -> None:
    owner, other = Blobs(tmp_path), Blobs(tmp_path)
    name = kept(owner, PICTURE)
    await other.delete(name)
    assert kept(owner, PICTURE) == name
    filing.set()
    owner.close()
    assert await other.get(name) == PICTURE


def test_nothing_more_is_taken_while_no_files_can_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(blob_log, "AGAIN_IN_S", 0.01)
    tried, mended = threading.Event(), threading.Event()

    def full(record: Record, path: Path) -> None:
        if not mended.is_set():
            tried.set()
            raise OSError(errno.ENOSPC, "full")
        copy_out(record, path)

    monkeypatch.setattr(blob_filing, "copy_out", full)
    blobs = Blobs(tmp_path)
    first = kept(blobs, PICTURE)
    assert tried.wait(5)
    assert _refusal(blobs) == "storage.full"
    mended.set()
    second = _kept_soon(blobs, PICTURE[2:])
    blobs.close()
    assert {first, second} <= {path.name for path in files(tmp_path / "blobs")}


def _refusal(blobs: Blobs) -> str:
    for _ in range(100):
        try:
            kept(blobs, b"another")
        except Unavailable as error:
            return error.key
    return ""


def _kept_soon(blobs: Blobs, content: bytes) -> str:
    for _ in range(500):
        try:
            return kept(blobs, content)
        except Unavailable:
            time.sleep(0.01)
    pytest.fail("the disk has room and nothing is taken")


def test_the_log_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    kept(blobs, PICTURE)
    assert Blobs(tmp_path).replay_log() == 0
    assert len(files(tmp_path / "blobs.log")) == 1
    blobs.close()
    assert files(tmp_path / "blobs.log") == []


def test_a_record_torn_by_a_crash_ends_the_log(tmp_path: Path) -> None:
    log = BlobLog(tmp_path / "log", lambda _: None, lambda: None)
    for number in range(3):
        log.append(digest(bytes([number]) * 100), [bytes([number]) * 100])
    (path,) = files(tmp_path / "log")
    with path.open("r+b") as file:
        file.seek(2 * (RECORD.size + 100) + RECORD.size + 50)
        file.write(b"\xff")
    os.close(log._now.descriptor)
    assert replayed(tmp_path / "log") == [bytes([0]) * 100, bytes([1]) * 100]


def test_a_full_log_goes_on_in_its_other_half_when_the_files_are_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_log, "HALF", 1 << 20)
    synced = threading.Event()
    log = BlobLog(tmp_path / "log", lambda _: None, synced.set)
    contents = [bytes([number]) * 400_000 for number in range(9)]
    for content in contents:
        log.append(digest(content), [content])
    assert synced.wait(5)
    assert [path.stat().st_size for path in files(tmp_path / "log")] == [1 << 20] * 2
    os.close(log._now.descriptor)
    assert log._other
    log._other.free.wait(5)
    os.close(log._other.descriptor)
    # The newest, and whatever of the half before; never what an older generation left behind.
    found = replayed(tmp_path / "log")
    assert contents[-1] in found
    assert sorted(found) == contents[-len(found) :]


def test_many_who_append_at_once_share_syncs_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []

    def counted(descriptor: int) -> None:
        syncs.append(descriptor)
        os.fsync(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)
    log = BlobLog(tmp_path / "log", lambda _: None, lambda: None)
    contents = [str(number).encode() * 1000 for number in range(160)]

    def append(mine: list[bytes]) -> None:
        for content in mine:
            log.append(digest(content), [content])

    threads = [threading.Thread(target=append, args=(contents[k::16],)) for k in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(log._now.descriptor)
    assert sorted(replayed(tmp_path / "log")) == sorted(contents)
    assert len(syncs) < len(contents)


def test_after_a_sync_that_failed_nothing_more_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = BlobLog(tmp_path / "log", lambda _: None, lambda: None)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "the disk")

    with monkeypatch.context() as failing:
        failing.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="the disk"):
            log.append(digest(b"one"), [b"one"])
    with pytest.raises(OSError, match="Input/output"):
        log.append(digest(b"two"), [b"two"])
    log.close()


def test_a_half_that_cannot_be_emptied_is_tried_again_and_lets_nobody_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_log, "HALF", 1000)
    monkeypatch.setattr(blob_log, "ROOM_WITHIN_S", 0.05)
    monkeypatch.setattr(blob_log, "AGAIN_IN_S", 0.01)
    mended = threading.Event()

    def sync() -> None:
        if not mended.is_set():
            raise Unavailable("storage.unwritable")

    log = BlobLog(tmp_path / "log", lambda _: None, sync)
    content = b"1" * 900
    for _ in range(2):
        log.append(digest(content), [content])
    with pytest.raises(OSError, match="Input/output"):
        log.append(digest(content), [content])
    mended.set()
    assert log._other
    assert log._other.free.wait(5)
    log.append(digest(content), [content])
    log.close()
