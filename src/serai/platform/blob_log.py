"""A log that makes objects durable by one sequential write, before their files are.

A new file costs a commit of the file system's journal, and its folders more; a write into a log
that is there already costs the data alone. So the file of an object is written without a sync
and its bytes once more into the log, which is synced for all who wait for it together. When the
log is full the file system is synced once for all files in it, while the other half of the log
goes on. After a crash `replay` gives back whatever file did not survive.

Record: generation (16 bytes), SHA-256 (32), length (8, little endian), the bytes. The first
record names the generation; the log ends before the first that is of another one or broken.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from serai.kernel.errors import SeraiError

RECORD = struct.Struct("<16s32sQ")
HALF = 64 * 1024 * 1024
# Larger objects are synced as files: they would fill the log, and pay less for it.
LOGGED_UP_TO = 8 * 1024 * 1024
ZEROS = bytes(1 << 20)
# The other half is free long before, unless its files cannot be synced.
ROOM_WITHIN_S = 30.0
SYNC_AGAIN_IN_S = 1.0


@dataclass(slots=True)
class _Half:
    """One file of the log; what stands behind `written` is of an older generation."""

    path: Path
    descriptor: int
    generation: bytes = field(default_factory=lambda: uuid4().bytes)
    written: int = 0
    synced: int = 0
    free: threading.Event = field(default_factory=threading.Event)


class BlobLog:
    """One per process; its files are locked as long as the process lives."""

    def __init__(self, folder: Path, sync: Callable[[], None]) -> None:
        """`sync` makes every file durable that has been written so far."""
        self._sync_files = sync
        self._appending = threading.Lock()
        self._syncing = threading.Lock()
        # The system forgets what a failed sync did not write: a later one proves nothing.
        self._failed = False
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._now = self._made()
        # The half that is not written to; made when the first is full for the first time.
        self._other: _Half | None = None

    def append(self, digest: str, parts: Sequence[bytes | memoryview]) -> None:
        """Durable when it returns, OSError when that cannot be had. The object's file must have
        been written, if not synced."""
        length = sum(len(part) for part in parts)
        with self._appending:
            half = self._with_room(RECORD.size + length)
            head = RECORD.pack(half.generation, bytes.fromhex(digest), length)
            write_all(half.descriptor, [head, *parts], half.written)
            half.written += RECORD.size + length
            mine = half.written
        with self._syncing:
            # Whoever came while another sync was under way finds it done by the next of them.
            if half.synced < mine:
                self._sync(half)

    def _sync(self, half: _Half) -> None:
        if self._failed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        reached = half.written
        try:
            os.fdatasync(half.descriptor)
        except OSError:
            self._failed = True
            raise
        half.synced = reached

    def close(self) -> None:
        """Everything in the log is in synced files: it goes."""
        with self._appending:
            halves = [self._now, self._other] if self._other else [self._now]
            self._sync_files()
            for half in halves:
                half.path.unlink(missing_ok=True)
                os.close(half.descriptor)

    def _with_room(self, wanted: int) -> _Half:
        if self._now.written + wanted <= HALF:
            return self._now
        full, other = self._now, self._other or self._made()
        if not other.free.wait(ROOM_WITHIN_S):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        full.free.clear()
        with self._syncing:
            other.generation, other.written, other.synced = uuid4().bytes, 0, 0
        self._now, self._other = other, full
        threading.Thread(target=self._empty, args=(full,), daemon=True).start()
        return other

    def _made(self) -> _Half:
        while True:
            path = self._folder / uuid4().hex
            descriptor = _made(path)
            if descriptor is not None:
                half = _Half(path, descriptor)
                half.free.set()
                return half

    def _empty(self, full: _Half) -> None:
        # A log that cannot be emptied stops whoever appends: better than losing objects.
        while not full.free.is_set():
            try:
                self._sync_files()
                full.free.set()
            except (OSError, SeraiError):
                time.sleep(SYNC_AGAIN_IN_S)


def replay(folder: Path, restore: Callable[[str, bytes], bool], sync: Callable[[], None]) -> int:
    """Give the objects of logs that nobody holds to `restore`, which says whether it had to
    write; how many it had. The logs go when `sync` has returned."""
    restored, left = 0, []
    for path in sorted(folder.glob("*")) if folder.exists() else []:
        descriptor = os.open(path, os.O_RDWR)
        if not _held(descriptor):
            os.close(descriptor)
            continue
        left.append((path, descriptor))
        restored += sum(restore(digest, content) for digest, content in _records(descriptor))
    if left:
        sync()
    for path, descriptor in left:
        path.unlink(missing_ok=True)
        os.close(descriptor)
    return restored


def _held(descriptor: int) -> bool:
    """Whether the file is ours now, until its descriptor is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _records(descriptor: int) -> Iterator[tuple[str, bytes]]:
    size = os.fstat(descriptor).st_size
    if size < RECORD.size:
        return
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as log:
        at, current = 0, log[:16]
        while at + RECORD.size <= size:
            generation, digest, length = RECORD.unpack_from(log, at)
            start, at = at + RECORD.size, at + RECORD.size + length
            if generation != current or at > size:
                return
            content = log[start:at]
            if hashlib.sha256(content).digest() != digest:
                return
            yield digest.hex(), content


def _made(path: Path) -> int | None:
    """A file whose blocks are all there, so that writing into it changes nothing but them; None
    when `replay`, in another process, took it for one that nobody holds."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if not _held(descriptor) or not path.exists():
            os.close(descriptor)
            return None
        for at in range(0, HALF, len(ZEROS)):
            os.pwrite(descriptor, ZEROS, at)
        os.fsync(descriptor)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)
    except BaseException:
        os.close(descriptor)
        with suppress(OSError):
            path.unlink()
        raise
    return descriptor


def write_all(descriptor: int, parts: Sequence[bytes | memoryview], at: int) -> None:
    """All of the parts, from this place of the file on; OSError when the disk is full."""
    wanted = sum(len(part) for part in parts)
    written = os.pwritev(descriptor, parts, at) if len(parts) < 1000 else 0
    if written < wanted:
        whole = memoryview(b"".join(parts))
        while written < wanted:
            written += os.pwrite(descriptor, whole[written:], at + written)
