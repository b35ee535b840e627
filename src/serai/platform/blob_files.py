"""Files of blobs as the operating system has them: where they lie, read from the page cache, synced
to the disk."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

# What is in the page cache and no larger is read without a thread.
READ_AT_ONCE = 4 << 20
# Larger objects are synced before they have their name. What the log takes is not, and encrypted it
# is a little larger.
SUMMED_UP_TO = (8 << 20) + (64 << 10)


def place(digest: str) -> str:
    """The path of an object in the folder of blobs."""
    return f"{digest[:2]}/{digest[2:4]}/{digest}"


# Whether these bytes are the whole object of this name.
IsWhole = Callable[[str, bytes], bool]


def sums_to(digest: str, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == digest


def holds(path: Path, digest: str, size: int, is_whole: IsWhole = sums_to) -> bool:
    """Whether the file is whole. A crash leaves unsynced files of the right size with zeros in
    them, which only reading shows."""
    try:
        if path.stat().st_size != size:
            return False
        # Put anew: it is not left behind.
        os.utime(path)
        return size > SUMMED_UP_TO or is_whole(digest, path.read_bytes())
    except FileNotFoundError:
        return False


def moved(path: Path, target: Path) -> None:
    try:
        path.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(target)


async def read(path: Path, start: int, length: int | None) -> bytes:
    """What lies in the page cache is read at once, what does not by another thread."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        wanted = max(0, os.fstat(descriptor).st_size - start)
        wanted = wanted if length is None else min(length, wanted)
        if wanted <= READ_AT_ONCE and _is_cached(descriptor, start, wanted):
            return os.pread(descriptor, wanted, start)
        return await asyncio.to_thread(_read_whole, descriptor, start, wanted)
    finally:
        os.close(descriptor)


def _is_cached(descriptor: int, start: int, length: int) -> bool:
    """Judged by its first and last byte; a system that cannot tell says no."""
    try:
        return all(
            os.preadv(descriptor, [bytearray(1)], place, os.RWF_NOWAIT)
            for place in (start, start + length - 1)
        )
    except OSError:
        return False


def _read_whole(descriptor: int, start: int, length: int) -> bytes:
    """One read gives two gigabytes at most (read(2))."""
    parts: list[bytes] = []
    while length > 0:
        parts.append(os.pread(descriptor, length, start))
        if not parts[-1]:
            raise FileNotFoundError(errno.ENOENT, "cut off")
        start, length = start + len(parts[-1]), length - len(parts[-1])
    return parts[0] if len(parts) == 1 else b"".join(parts)


def sync_file_system(folder: Path) -> None:
    """One call for however many files; it reports what could not be written (syncfs(2))."""
    system = ctypes.CDLL(None, use_errno=True)
    if not hasattr(system, "syncfs"):
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if system.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
