"""Immutable objects named by the SHA-256 of their bytes: pictures, documents, recordings.

Files under ``SERAI_HOME/blobs`` by default, an object store with ``SERAI_BLOBS=s3://…``
(credentials as the AWS tools take them, from the environment). What `put` has returned is
on disk: the file and every folder on the way to it have been synced.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from importlib import import_module
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING, NewType
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from serai.kernel.errors import NotFound, SeraiError, Unavailable
from serai.platform.blob_files import (
    IsWhole,
    holds,
    place,
    read,
    sums_to,
    sync_file,
    sync_file_system,
    sync_folder,
)
from serai.platform.blob_filing import Filing
from serai.platform.settings import Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

Digest = NewType("Digest", str)

SHA256_HEX = re.compile(r"[0-9a-f]{64}")
CHUNK = 1 << 20
# Longer than any upload takes; what is older was left behind by a crash.
UNFINISHED_FOR_S = 24 * 3600
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
# An object store that is gone is said to be gone, rather than waited for by every request.
RETRIES: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=5)}


class Damaged(Unavailable):
    """What is stored is not what was put: changed, cut off, or another object."""

    def __init__(self) -> None:
        super().__init__("blob.damaged")


class Blobs:
    """One instance per process, usable from any thread and event loop."""

    def __init__(self, home: Path, address: str | None = None, is_whole: IsWhole = sums_to) -> None:
        """`address` is an object store's URL; without it objects are files under `home`."""
        self._is_whole = is_whole
        self._spool = home / "blobs.unfinished"
        # Files made from an object, named by it up to the first dot; they go when it goes.
        self.derived = home / "cache" / "derived"
        self._folder = None if address else home / "blobs"
        # Folders whose own entries are known to be on disk, so that each is synced once.
        self._synced: set[Path] = set()
        with storage_errors():
            self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._folder:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(home)
            self._store = _store(self._folder, address)
        self._filing = (
            Filing(self._folder, self._spool, home / "blobs.log", is_whole)
            if self._folder
            else None
        )

    @classmethod
    def at(cls, settings: Settings) -> Blobs:
        return _of(settings, settings.home, settings.blobs)

    @classmethod
    def cold_at(cls, settings: Settings) -> Blobs | None:
        """The place for what is seldom looked at, if there is one: a folder or a URL."""
        place = settings.blobs_cold
        if place is None or "://" in place:
            return _of(settings, settings.home, place) if place else None
        Path(place).mkdir(mode=0o700, parents=True, exist_ok=True)
        return _of(settings, Path(place), None)

    async def put(self, data: bytes | AsyncIterable[bytes]) -> Digest:
        """Keep the bytes; putting the same bytes again changes nothing."""
        if isinstance(data, bytes):
            return await asyncio.to_thread(self.put_sync, data)
        with storage_errors(), self._unfinished() as path:
            digest = await _spooled(data, path)
            await asyncio.to_thread(self._keep_file, path, digest)
        return digest

    def put_sync(self, data: bytes) -> Digest:
        """`put` for threads without an event loop."""
        digest = Digest(hashlib.sha256(data).hexdigest())
        with storage_errors():
            if self._has(digest, len(data)):
                return digest
            if self._folder is None:
                obstore.put(self._store, _key(digest), data)
                return digest
            with self._unfinished() as path:
                _write_synced(path, data)
                self._keep_file(path, digest)
        return digest

    @property
    def is_local(self) -> bool:
        """Whether objects are files, which can be synced together."""
        return self._folder is not None

    @property
    def has_log(self) -> bool:
        """Whether small objects can be kept by `keep_logged`."""
        return self._folder is not None

    def keep_logged(self, *objects: tuple[str, bytes]) -> None:
        """Keep objects of LOGGED_UP_TO at most by their digests, durable by the log; their files
        come behind."""
        assert self._filing
        with storage_errors():
            self._filing.keep(*objects)

    def is_wanted(self, digest: str) -> bool:
        """Whether what `keep_logged` has taken was not deleted since."""
        return self._filing is not None and self._filing.is_wanted(digest)

    def replay_log(self) -> int:
        """Write again what a crash has taken of objects in logs; before serving."""
        with storage_errors():
            return self._filing.replay() if self._filing else 0

    def close(self) -> None:
        """Nothing waits for the next start to be safe; what fails now, that start makes good."""
        with suppress(SeraiError, OSError):
            if self._filing:
                self._filing.close()

    def keep_synced(self, path: Path, digest: str) -> None:
        """Keep a synced file of `unfinished_file` whose bytes sum to `digest`; it moves."""
        with storage_errors():
            if self._has(Digest(digest), path.stat().st_size):
                path.unlink()
            else:
                self._keep_file(path, Digest(digest))

    def sync(self) -> None:
        """Everything written so far is on disk, folders included."""
        assert self._folder
        with storage_errors():
            sync_file_system(self._folder)

    async def has(self, digest: str) -> bool:
        """Whether the object is there; its bytes are not looked at."""
        if self._folder:
            return await asyncio.to_thread(self.local, digest) is not None
        try:
            with storage_errors():
                await obstore.head_async(self._store, _key(digest))
        except NotFound:
            return False
        return True

    async def get(self, digest: str) -> bytes:
        """The whole object; NotFound when there is none."""
        if self._folder:
            return await self._read(self._folder / _key(digest), digest, 0, None)
        with storage_errors():
            found = await obstore.get_async(self._store, _key(digest))
            return (await found.bytes_async()).to_bytes()

    async def _read(self, path: Path, digest: str, start: int, length: int | None) -> bytes:
        with storage_errors():
            try:
                return await read(path, start, length)
            except FileNotFoundError:
                if self.local(digest) is None:
                    raise
            return await read(path, start, length)

    def local(self, digest: str) -> Path | None:
        """The object as a file on this machine, if that is where it is kept."""
        if self._folder is None:
            return None
        path = self._folder / _key(digest)
        with storage_errors():
            there = path.exists() or (self._filing and self._filing.has_made(digest))
        return path if there else None

    async def get_range(self, digest: str, start: int, length: int) -> bytes:
        """Bytes from `start`, fewer than `length` at the object's end."""
        if self._folder:
            return await self._read(self._folder / _key(digest), digest, start, length)
        with storage_errors():
            key = _key(digest)
            part = await obstore.get_range_async(self._store, key, start=start, length=length)
            return part.to_bytes()

    async def stream(self, digest: str) -> AsyncIterator[bytes]:
        """The object in parts of about a megabyte."""
        if self._folder:
            await asyncio.to_thread(self.local, digest)
        with storage_errors():
            found = await obstore.get_async(self._store, _key(digest))
            async for part in found.stream(min_chunk_size=CHUNK):
                yield bytes(part)

    async def listed(self, first: str) -> AsyncIterator[tuple[str, datetime]]:
        """Every object whose name begins with these two digits, and when it was last put."""
        with storage_errors():
            async for some in obstore.list(self._store, first):
                for each in some:
                    name = each["path"].rpartition("/")[2]
                    if SHA256_HEX.fullmatch(name):
                        yield name, each["last_modified"]

    async def delete(self, digest: str) -> None:
        """Forget the object; nothing happens when there is none.

        Only for objects that no transaction, committed or running, refers to.
        """
        try:
            key = _key(digest)
            with storage_errors(), self._filing.deleting(digest) if self._filing else nullcontext():
                for made in self.derived.glob(f"{digest}.*"):
                    made.unlink(missing_ok=True)
                await obstore.delete_async(self._store, key)
        except NotFound:
            return

    def unfinished(self, name: str) -> Path:
        """Where a transfer gathers that is taken up again after a crash; `remove_unfinished`
        deletes it when nobody does."""
        return self._spool / name

    def unfinished_file(self) -> Path:
        """A new name for a file that becomes an object or is deleted."""
        return self._spool / uuid4().hex

    def remove_unfinished(self) -> None:
        """Delete what uploads cut off by a crash have left behind."""
        with storage_errors():
            for path in self._spool.iterdir():
                if self._filing and self._filing.needs(path):
                    continue
                if time.time() - path.stat().st_mtime > UNFINISHED_FOR_S:
                    path.unlink(missing_ok=True)

    def _has(self, digest: Digest, size: int) -> bool:
        if self._folder and self._filing:
            self._filing.want(digest)
            target = self._folder / _key(digest)
            there = holds(target, digest, size, self._is_whole)
            if there:
                # Whoever wrote it may not have come to this line yet.
                sync_file(target)
                self._sync_way_to(target)
            return there
        try:
            return obstore.head(self._store, _key(digest))["size"] == size
        except FileNotFoundError:
            return False

    def _keep_file(self, path: Path, digest: Digest) -> None:
        if self._folder is None:
            if not self._has(digest, path.stat().st_size):
                obstore.put(self._store, _key(digest), path)
            return
        target = self._folder / _key(digest)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(target)
        self._sync_way_to(target)

    def _sync_way_to(self, target: Path) -> None:
        sync_folder(target.parent)
        for folder in (target.parent, target.parent.parent):
            if folder not in self._synced:
                sync_folder(folder.parent)
                self._synced.add(folder)

    @contextmanager
    def _unfinished(self) -> Iterator[Path]:
        path = self.unfinished_file()
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _of(settings: Settings, home: Path, address: str | None) -> Blobs:
    """Once anything was encrypted, there is something to decrypt."""
    if settings.blob_encryption == "off" and not (home / "sealed").exists():
        return Blobs(home, address)
    opened: Blobs = import_module("serai.platform.encryption.objects").opened(
        settings, home, address
    )
    return opened


def _store(folder: Path | None, address: str | None) -> ObjectStore:
    if address is None:
        return LocalStore(folder)
    try:
        return from_url(address, retry_config=RETRIES, client_options=_patience())
    except (BaseError, ValueError) as error:
        raise Unavailable("storage.address-malformed", address=address) from error


def _patience() -> ClientConfig:
    """Options of ours take the place of those from the environment."""
    return {
        "connect_timeout": timedelta(seconds=3),
        "timeout": timedelta(minutes=2),
        "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true",
    }


def _key(digest: str) -> str:
    if not SHA256_HEX.fullmatch(digest):
        raise NotFound("blob.missing", digest=digest[:64])
    return place(digest)


async def _spooled(data: AsyncIterable[bytes], path: Path) -> Digest:
    """Write a stream to a synced file, a megabyte in memory at a time."""
    summed, waiting = hashlib.sha256(), bytearray()
    with await asyncio.to_thread(path.open, "xb") as file:

        def write(part: bytes) -> None:
            summed.update(part)
            file.write(part)

        async for part in data:
            waiting += part
            if len(waiting) >= CHUNK:
                await asyncio.to_thread(write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(write, bytes(waiting))
        await asyncio.to_thread(_sync, file)
    return Digest(summed.hexdigest())


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        _sync(file)


def _sync(file: BufferedWriter) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def storage_errors() -> Iterator[None]:
    """What the file system or the object store cannot do for us, in our words."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("blob.missing") from error
    except OSError as error:
        if error.errno in DISK_FULL:
            raise Unavailable("storage.full") from error
        raise Unavailable("storage.unwritable", reason=error.strerror or "") from error
    except BaseError as error:
        raise Unavailable("storage.unreachable") from error
