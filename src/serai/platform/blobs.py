"""Immutable objects named by the SHA-256 of their bytes: pictures, documents, recordings.

Files under ``SERAI_HOME/blobs`` by default, an object store with ``SERAI_BLOBS=s3://…``
(credentials as the AWS tools take them, from the environment). What `put` has returned is
on disk: the file and every folder on the way to it have been synced.
"""

from __future__ import annotations

import asyncio
import atexit
import errno
import hashlib
import os
import re
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING, NewType
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from serai.kernel.errors import NotFound, SeraiError, Unavailable
from serai.platform.blob_files import read, sync_file, sync_file_system, sync_folder
from serai.platform.blob_log import LOGGED_UP_TO, BlobLog, replay
from serai.platform.settings import Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

Digest = NewType("Digest", str)

SHA256_HEX = re.compile(r"[0-9a-f]{64}")
CHUNK = 1 << 20
# `put_unsynced` is for smaller ones.
UNSYNCED_UP_TO = 1 << 20
# Longer than any upload takes; what is older was left behind by a crash.
UNFINISHED_FOR_S = 24 * 3600
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
# An object store that is gone is said to be gone, rather than waited for by every request.
RETRIES: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=5)}


class Blobs:
    """One instance per process, usable from any thread and event loop."""

    def __init__(self, home: Path, address: str | None = None) -> None:
        """`address` is an object store's URL; without it objects are files under `home`."""
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
        self._log_folder = home / "blobs.log"
        self._log: BlobLog | None = None
        self._logging = threading.Lock()

    @classmethod
    def at(cls, settings: Settings) -> Blobs:
        return cls(settings.home, settings.blobs)

    @classmethod
    def cold_at(cls, settings: Settings) -> Blobs | None:
        """The place for what is seldom looked at, if there is one: a folder or a URL."""
        place = settings.blobs_cold
        if place is None or "://" in place:
            return cls(settings.home, place) if place else None
        Path(place).mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(Path(place))

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

    def put_unsynced(self, data: bytes) -> Digest:
        """`put` a file that a crash may take, until the next `sync` has returned."""
        assert self._folder
        assert len(data) <= UNSYNCED_UP_TO
        digest = Digest(hashlib.sha256(data).hexdigest())
        target = self._folder / _key(digest)
        # What is there already must stay the same file: somebody's `sync` may count on it.
        if _holds(target, digest, len(data)):
            return digest
        with storage_errors(), self._unfinished() as path:
            path.write_bytes(data)
            _moved(path, target)
        return digest

    def keep_logged(self, path: Path, digest: str, parts: Sequence[bytes | memoryview]) -> None:
        """Keep a file of `unfinished_file` with these bytes, of LOGGED_UP_TO at most, durable by
        the log; it moves."""
        assert self._folder
        target = self._folder / _key(digest)
        with storage_errors():
            if _holds(target, Digest(digest), path.stat().st_size):
                path.unlink()
            else:
                _moved(path, target)
            self._opened_log().append(digest, parts)

    def replay_log(self) -> int:
        """Write again what a crash has taken of objects in logs; before serving."""
        with storage_errors():
            return replay(self._log_folder, self._restored, self.sync)

    def _restored(self, digest: str, content: bytes) -> bool:
        assert self._folder
        target = self._folder / _key(digest)
        if _holds(target, Digest(digest), len(content)):
            return False
        with self._unfinished() as path:
            path.write_bytes(content)
            _moved(path, target)
        return True

    def _opened_log(self) -> BlobLog:
        with self._logging:
            if self._log is None:
                self._log = BlobLog(self._log_folder, self.sync)
                atexit.register(self.close)
            return self._log

    def close(self) -> None:
        """Nothing waits for the next start to be safe; what fails now, that start makes good."""
        with self._logging, suppress(SeraiError):
            if self._log:
                self._log.close()
                self._log = None
            atexit.unregister(self.close)

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
            return self.local(digest) is not None
        try:
            with storage_errors():
                await obstore.head_async(self._store, _key(digest))
        except NotFound:
            return False
        return True

    async def get(self, digest: str) -> bytes:
        """The whole object; NotFound when there is none."""
        if self._folder:
            with storage_errors():
                return await read(self._folder / _key(digest), 0, None)
        with storage_errors():
            found = await obstore.get_async(self._store, _key(digest))
            return (await found.bytes_async()).to_bytes()

    def local(self, digest: str) -> Path | None:
        """The object as a file on this machine, if that is where it is kept."""
        path = self._folder / _key(digest) if self._folder else None
        return path if path and path.exists() else None

    async def get_range(self, digest: str, start: int, length: int) -> bytes:
        """Bytes from `start`, fewer than `length` at the object's end."""
        if self._folder:
            with storage_errors():
                return await read(self._folder / _key(digest), start, length)
        with storage_errors():
            key = _key(digest)
            part = await obstore.get_range_async(self._store, key, start=start, length=length)
            return part.to_bytes()

    async def stream(self, digest: str) -> AsyncIterator[bytes]:
        """The object in parts of about a megabyte."""
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
            with storage_errors():
                key = _key(digest)
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
                if time.time() - path.stat().st_mtime > UNFINISHED_FOR_S:
                    path.unlink(missing_ok=True)

    def _has(self, digest: Digest, size: int) -> bool:
        if self._folder:
            target = self._folder / _key(digest)
            there = _holds(target, digest, size)
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
    return f"{digest[:2]}/{digest[2:4]}/{digest}"


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


def _holds(path: Path, digest: Digest, size: int) -> bool:
    """Whether the file is whole. A crash leaves unsynced files of the right size with zeros in
    them, which only reading shows; large files are never named before they are synced."""
    try:
        if path.stat().st_size != size:
            return False
        # Put anew: it is not left behind.
        os.utime(path)
        return size > LOGGED_UP_TO or hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except FileNotFoundError:
        return False


def _moved(path: Path, target: Path) -> None:
    try:
        path.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(target)


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
