"""A log that makes objects durable by one sequential write; their files are made behind it.

A new file costs a commit of the file system's journal, and its folders more; a write into a log
that is there already costs the data alone, and one sync serves all who wait for it together. So
an object is acknowledged when the log has it, and a thread of lower priority makes its file from
there. When a half of the log is full and its files are made, the file system is synced once for
all of them, while the other half goes on. Who wants an object before it has its file finds it in
the log (`recorded`). After a crash `replay` makes whatever file is missing.

Record: generation (16 bytes), SHA-256 (32), length (8, little endian), the bytes. The first
record names the generation; the log ends before the first that is of another one or broken.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from uuid import uuid4

from serai.kernel.errors import SeraiError
from serai.platform.blob_files import IsWhole, sums_to

RECORD = struct.Struct("<16s32sQ")
HALF = 256 * 1024 * 1024
STEP = 16 * 1024 * 1024
# Larger objects are synced as files: they would fill the log, and pay less for it.
LOGGED_UP_TO = 8 * 1024 * 1024
ZEROS = bytes(1 << 20)
# The other half is free long before, unless its files cannot be synced.
ROOM_WITHIN_S = 30.0
AGAIN_IN_S = 1.0
FILING_NICENESS = 5


@dataclass(slots=True)
class _Half:
    """One file of the log; what stands behind `written` is of an older generation."""

    path: Path
    descriptor: int
    generation: bytes = field(default_factory=lambda: uuid4().bytes)
    written: int = 0
    synced: int = 0
    unfiled: int = 0
    reserved: int = 0
    free: threading.Event = field(default_factory=threading.Event)

    def reserve(self, wanted: int) -> None:
        """Have the blocks there, so that writing into them changes nothing but them."""
        while self.reserved < wanted:
            size = min(STEP, HALF - self.reserved)
            for at in range(0, size, len(ZEROS)):
                os.pwrite(self.descriptor, ZEROS[: size - at], self.reserved + at)
            os.fsync(self.descriptor)
            self.reserved += size


@dataclass(frozen=True, slots=True)
class Record:
    """Where the bytes of an object lie in an open file of the log."""

    digest: str
    descriptor: int
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


class BlobLog:
    """One per process; its files are locked as long as the process lives."""

    def __init__(
        self, folder: Path, file: Callable[[Record], None], sync: Callable[[], None]
    ) -> None:
        """`file` makes the file of an object, `sync` makes every file durable that was made."""
        self._file = file
        self._sync_files = sync
        self._appending = threading.Lock()
        self._syncing = threading.Lock()
        # The system forgets what a failed sync did not write: a later one proves nothing.
        self._failed = False
        # Why files cannot be made at present; nothing more is taken meanwhile.
        self._unfilable: OSError | None = None
        self._filed = threading.Condition()
        self._closing = threading.Event()
        self._filing: SimpleQueue[tuple[_Half, Record] | None] = SimpleQueue()
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._now = self._made()
        # The half that is not written to; made when the first is full for the first time.
        self._other: _Half | None = None
        self._filer = threading.Thread(target=self._keep_filing, name="blob-filer", daemon=True)
        self._filer.start()

    def append(self, *objects: tuple[str, bytes]) -> None:
        """Objects by their digests, durable when it returns; OSError when that cannot be had."""
        if self._unfilable:
            raise OSError(self._unfilable.errno, os.strerror(self._unfilable.errno or errno.EIO))
        written: list[tuple[_Half, Record]] = []
        try:
            # All at once: who holds records back from filing must not wait for another's.
            with self._appending:
                written.extend(self._write(*each) for each in objects)
            with self._syncing:
                # Whoever came while another sync was under way finds it done by the next of them.
                for half, record in written:
                    if half.synced < record.end:
                        self._sync(half)
        finally:
            for each in written:
                self._filing.put(each)

    def _write(self, digest: str, content: bytes) -> tuple[_Half, Record]:
        half = self._with_room(RECORD.size + len(content))
        head = RECORD.pack(half.generation, bytes.fromhex(digest), len(content))
        write_all(half.descriptor, [head, content], half.written)
        record = Record(digest, half.descriptor, half.written + RECORD.size, len(content))
        half.written = record.end
        half.unfiled += 1
        return half, record

    def wait_until_filed(self) -> None:
        """Until everything appended so far has its file."""
        with self._filed:
            self._filed.wait_for(lambda: not any(half.unfiled for half in self._halves))

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
        """Everything in the log is in synced files: it goes. OSError leaves it for `replay`."""
        with self._appending:
            self._closing.set()
            self._filing.put(None)
            self._filer.join()
            if any(half.unfiled for half in self._halves):
                raise self._unfilable or OSError(errno.EIO, os.strerror(errno.EIO))
            self._sync_files()
            for half in self._halves:
                half.path.unlink(missing_ok=True)
                os.close(half.descriptor)

    @property
    def _halves(self) -> list[_Half]:
        return [half for half in (self._now, self._other) if half]

    def _keep_filing(self) -> None:
        # Of the thread alone (setpriority(2)): who waits for an answer goes first.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), FILING_NICENESS)
        while taken := self._filing.get():
            half, record = taken
            if not self._has_filed(record):
                return
            with self._filed:
                half.unfiled -= 1
                self._filed.notify_all()

    def _has_filed(self, record: Record) -> bool:
        """Tried again until it can be done, or the log is closed."""
        while True:
            try:
                self._file(record)
            except OSError as error:
                self._unfilable = error
                if self._closing.wait(AGAIN_IN_S):
                    return False
            else:
                self._unfilable = None
                return True

    def _with_room(self, wanted: int) -> _Half:
        if self._now.written + wanted <= HALF:
            self._now.reserve(self._now.written + wanted)
            return self._now
        full, other = self._now, self._other or self._made()
        if not other.free.wait(ROOM_WITHIN_S):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        full.free.clear()
        with self._syncing:
            other.generation, other.written, other.synced = uuid4().bytes, 0, 0
        self._now, self._other = other, full
        other.reserve(wanted)
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
        with self._filed:
            self._filed.wait_for(lambda: full.unfiled == 0)
        while not full.free.is_set():
            try:
                self._sync_files()
                full.free.set()
            except (OSError, SeraiError):
                time.sleep(AGAIN_IN_S)


def replay(
    folder: Path,
    restore: Callable[[str, bytes], bool],
    sync: Callable[[], None],
    is_whole: IsWhole = sums_to,
) -> int:
    """Give the objects of logs that nobody holds to `restore`, which says whether it had to
    write; how many it had. The logs go when `sync` has returned."""
    restored, left = 0, []
    for path in sorted(folder.glob("*")) if folder.exists() else []:
        descriptor = os.open(path, os.O_RDWR)
        if not _held(descriptor):
            os.close(descriptor)
            continue
        left.append((path, descriptor))
        restored += sum(
            restore(digest, content) for digest, content in _records(descriptor, is_whole)
        )
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


def copied(folder: Path, digest: str, target: Path, is_whole: IsWhole = sums_to) -> bool:
    """Whether a log, of whatever process, has the object: then its bytes are in `target` now."""
    # Behind a reader's back a log may go on to its next generation.
    return any(
        record.digest == digest and _is_copied(record, target, is_whole) for record in _all(folder)
    )


def is_recorded(folder: Path, digest: str) -> bool:
    """Whether a log, of whatever process, has the object."""
    return any(record.digest == digest for record in _all(folder))


def _all(folder: Path) -> Iterator[Record]:
    for path in folder.glob("*") if folder.exists() else ():
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            yield from _heads(descriptor)
        finally:
            os.close(descriptor)


def _is_copied(record: Record, target: Path, is_whole: IsWhole) -> bool:
    copy_out(record, target)
    if is_whole(record.digest, target.read_bytes()):
        return True
    target.unlink()
    return False


def copy_out(record: Record, target: Path) -> None:
    """The object's bytes as a new file, without a way through this process."""
    made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        at, left = record.start, record.length
        while left:
            copied = os.copy_file_range(record.descriptor, made, left, at)
            if not copied:
                raise OSError(errno.EIO, "cut off")
            at, left = at + copied, left - copied
    finally:
        os.close(made)


def _heads(descriptor: int) -> Iterator[Record]:
    """Where the records of the newest generation lie; the last may be torn."""
    size, at, current = os.fstat(descriptor).st_size, 0, b""
    while at + RECORD.size <= size:
        generation, digest, length = RECORD.unpack(os.pread(descriptor, RECORD.size, at))
        start, at = at + RECORD.size, at + RECORD.size + length
        current = current or generation
        if generation != current or at > size or not length:
            return
        yield Record(digest.hex(), descriptor, start, length)


def _records(descriptor: int, is_whole: IsWhole) -> Iterator[tuple[str, bytes]]:
    for record in _heads(descriptor):
        content = os.pread(descriptor, record.length, record.start)
        if not is_whole(record.digest, content):
            return
        yield record.digest, content


def _made(path: Path) -> int | None:
    """A file for a half; None when `replay`, in another process, took it for one that nobody
    holds."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if not _held(descriptor) or not path.exists():
            os.close(descriptor)
            return None
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
