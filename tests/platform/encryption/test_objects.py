"""Encrypted objects: the interface of plain ones, and nothing plain on the disk."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serai.kernel.errors import NotFound
from serai.platform.blob_log import LOGGED_UP_TO
from serai.platform.blobs import Blobs, Damaged
from serai.platform.encryption.chunks import CHUNK
from serai.platform.encryption.objects import EncryptedBlobs
from serai.platform.settings import Settings

CANARY = b"CANARY of the chest film of Zhang Min"
PICTURE = CANARY + bytes(range(256)) * 1000 + CANARY


def blobs_at(home: Path, url: str, encryption: str = "aes-256-gcm") -> Blobs:
    return Blobs.at(Settings(home=home, blob_encryption=encryption, database_url=url))


@pytest.fixture
def blobs(tmp_path: Path, database_url: str) -> EncryptedBlobs:
    found = blobs_at(tmp_path, database_url)
    assert isinstance(found, EncryptedBlobs)
    return found


def files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def objects(home: Path) -> list[Path]:
    return [path for path in files(home / "sealed" / "blobs") if len(path.name) == 64]


def holding(home: Path, secret: bytes) -> list[Path]:
    return [path for path in files(home) if secret in path.read_bytes()]


async def parts(content: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def whole(blobs: Blobs, digest: str) -> bytes:
    return b"".join([part async for part in blobs.stream(digest)])


@pytest.mark.parametrize("encryption", ["aes-256-gcm", "sm4-gcm"])
async def test_what_is_put_comes_back_whole_in_ranges_and_as_a_stream(
    encryption: str, tmp_path: Path, database_url: str
) -> None:
    blobs = blobs_at(tmp_path, database_url, encryption)
    long = os.urandom(3_300_000)
    for content in (b"", b"x", PICTURE, long, long[: 4 * CHUNK]):
        digest = hashlib.sha256(content).hexdigest()
        assert await blobs.put(content) == digest
        assert await blobs.put(parts(content)) == digest
        assert await blobs.get(digest) == content
        assert await whole(blobs, digest) == content
        assert await blobs.has(digest)
        for start, length in ((0, 10), (CHUNK - 3, 9), (len(content) - 2, 50), (200_000, 70_000)):
            start = max(0, start)
            assert await blobs.get_range(digest, start, length) == content[start:][:length]
    assert len(objects(tmp_path)) == 5
    for first in (name[:2] for name in {path.name for path in objects(tmp_path)}):
        assert [digest async for digest, _ in blobs.listed(first)]


async def test_neither_bytes_nor_digests_are_on_the_disk(
    blobs: EncryptedBlobs, tmp_path: Path
) -> None:
    digest = await blobs.put(PICTURE)
    streamed = await blobs.put(parts(PICTURE + b"2"))
    logged = hashlib.sha256(CANARY).hexdigest()
    await asyncio.to_thread(blobs.keep_logged, (logged, CANARY))
    assert await blobs.get(logged) == CANARY
    for secret in (CANARY, digest.encode(), bytes.fromhex(digest), bytes.fromhex(logged)):
        assert holding(tmp_path, secret) == []
    assert {digest, streamed, logged}.isdisjoint(path.name for path in files(tmp_path))
    await asyncio.to_thread(blobs.close)
    assert holding(tmp_path, CANARY) == []


CRASH = """import hashlib, os, sys
from pathlib import Path
from tests.platform.encryption.test_objects import CANARY, blobs_at
blobs = blobs_at(Path(sys.argv[1]), sys.argv[2])
for number in range(3):
    content = CANARY + bytes([number]) * 300_000
    blobs.keep_logged((hashlib.sha256(content).hexdigest(), content))
    print(hashlib.sha256(content).hexdigest(), flush=True)
os.kill(os.getpid(), 9)"""


async def test_what_a_crash_took_is_given_back_by_the_encrypted_log(
    tmp_path: Path, database_url: str
) -> None:
    crashed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CRASH, str(tmp_path), database_url],
        stdout=subprocess.PIPE,
    )
    assert crashed.returncode == -9
    for path in objects(tmp_path):
        path.unlink()
    assert holding(tmp_path, CANARY) == []
    blobs = blobs_at(tmp_path, database_url)
    assert await asyncio.to_thread(blobs.replay_log) == 3
    for number, digest in enumerate(crashed.stdout.decode().split()):
        assert await blobs.get(digest) == CANARY + bytes([number]) * 300_000


async def test_what_was_there_before_stays_readable_and_goes_as_usual(
    tmp_path: Path, database_url: str
) -> None:
    digest = await blobs_at(tmp_path, database_url, "off").put(PICTURE)
    blobs = blobs_at(tmp_path, database_url)
    assert await blobs.get(digest) == PICTURE == await whole(blobs, digest)
    assert await blobs.get_range(digest, 3, 5) == PICTURE[3:8]
    assert blobs.local(digest) is None
    await blobs.delete(digest)
    assert not await blobs.has(digest)
    with pytest.raises(NotFound):
        await blobs.get(digest)


async def test_switched_off_again_what_was_encrypted_is_still_read(
    blobs: EncryptedBlobs, tmp_path: Path, database_url: str
) -> None:
    digest = await blobs.put(PICTURE)
    off = blobs_at(tmp_path, database_url, "off")
    assert await off.get(digest) == PICTURE
    other = await off.put(b"plain")
    assert off.local(other) is not None
    await off.delete(digest)
    assert objects(tmp_path) == []


async def test_a_damaged_or_exchanged_file_is_not_given_out(
    blobs: EncryptedBlobs, tmp_path: Path
) -> None:
    one = await blobs.put(PICTURE)
    (first,) = objects(tmp_path)
    other = await blobs.put(PICTURE[::-1])
    (second,) = set(objects(tmp_path)) - {first}
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    for read in (blobs.get(one), whole(blobs, one), blobs.get_range(one, 5, 5)):
        with pytest.raises(Damaged):
            await read
    first.write_bytes(kept[:-1])
    for read in (blobs.get(one), whole(blobs, one)):
        with pytest.raises(Damaged):
            await read
    # Put again, a damaged object is mended.
    first.write_bytes(kept[:2000] + b"?" + kept[2001:])
    assert await blobs.put(PICTURE) == one
    assert await blobs.get(one) == PICTURE
    assert await blobs.get(other) == PICTURE[::-1]


async def test_the_largest_object_of_the_log_is_looked_at_when_it_is_put_again(
    blobs: EncryptedBlobs, tmp_path: Path
) -> None:
    content = os.urandom(LOGGED_UP_TO)
    digest = hashlib.sha256(content).hexdigest()
    await asyncio.to_thread(blobs.keep_logged, (digest, content))
    await asyncio.to_thread(blobs.close)
    (path,) = objects(tmp_path)
    # As a crash leaves a file whose pages never came to the disk.
    path.write_bytes(bytes(path.stat().st_size))
    assert await blobs.put(content) == digest
    assert await blobs.get(digest) == content


async def test_a_new_key_is_used_by_what_comes_then_and_both_are_read(
    blobs: EncryptedBlobs, tmp_path: Path, database_url: str
) -> None:
    before = await blobs.put(PICTURE)
    other = blobs_at(tmp_path, database_url)
    assert await other.get(before) == PICTURE
    await asyncio.to_thread(blobs.keys.rotate)
    after = await blobs.put(PICTURE[1:])
    # The other process has not looked at the table since; it finds the new name all the same.
    assert await other.get(after) == PICTURE[1:]
    assert await other.get(before) == PICTURE == await blobs.get(before)
    await other.delete(after)
    assert not await blobs.has(after)


async def test_objects_in_an_object_store_are_encrypted_too(
    tmp_path: Path, database_url: str
) -> None:
    settings = Settings(
        home=tmp_path,
        blobs="memory:///",
        blob_encryption="aes-256-gcm",
        database_url=database_url,
    )
    blobs = Blobs.at(settings)
    digest = await blobs.put(parts(PICTURE))
    assert await blobs.get(digest) == PICTURE == await whole(blobs, digest)
    assert await blobs.get_range(digest, 70_000, 9) == PICTURE[70_000:70_009]
    assert not blobs.has_log
    assert holding(tmp_path, CANARY) == []
    await blobs.delete(digest)
    assert not await blobs.has(digest)
