"""How sealed forms become files: written by chunks, kept by name, changed one at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import obstore

from serai.platform.blobs import Blobs, Digest, storage_errors
from serai.platform.encryption.chunks import CHUNK, HEADER, Writing
from serai.platform.encryption.keyring import DataKey


class SealedFiles(Blobs):
    """The sealed forms by their names, kept as any objects are."""

    def keep(self, path: Path, name: str) -> None:
        """A synced file; it moves. What is there already is as good."""
        with storage_errors():
            if self._has(Digest(name), path.stat().st_size):
                path.unlink()
            else:
                self._keep_file(path, Digest(name))

    def replace(self, path: Path, name: str) -> None:
        """A synced file in the place of what is there."""
        with storage_errors():
            if self._filing:
                self._filing.want(name)
                self._keep_file(path, Digest(name))
            else:
                obstore.put(self._store, f"{name[:2]}/{name[2:4]}/{name}", path)

    def holds(self, name: str, size: int) -> bool:
        with storage_errors():
            return self._has(Digest(name), size)


class Spool:
    """Plain parts in, a sealed file out; the header is written when all is known."""

    def __init__(self, descriptor: int, key: DataKey) -> None:
        self._descriptor = descriptor
        self._writing = Writing(key)
        self._summed = hashlib.sha256()
        self._waiting = bytearray()
        self._length, self._at = 0, HEADER

    def takes(self, part: bytes) -> bool:
        """Whether there is now enough to `write`."""
        self._waiting += part
        return len(self._waiting) > CHUNK * 16

    def write(self) -> None:
        """All chunks but the last, which may be the object's last."""
        whole = max(0, len(self._waiting) - 1) // CHUNK * CHUNK
        self._write([self._waiting[at : at + CHUNK] for at in range(0, whole, CHUNK)])
        del self._waiting[:whole]

    def finish(self) -> str:
        """The digest; the file is synced."""
        self.write()
        if self._waiting:
            self._write([self._waiting], last=True)
        digest = self._summed.hexdigest()
        os.pwrite(self._descriptor, self._writing.header(digest, self._length), 0)
        os.fsync(self._descriptor)
        return digest

    def _write(self, plain: Sequence[bytes | bytearray], *, last: bool = False) -> None:
        for each in plain:
            self._summed.update(each)
            self._length += len(each)
            form = memoryview(self._writing.chunk(each, last=last))
            while form:
                written = os.pwrite(self._descriptor, form, self._at)
                self._at += written
                form = form[written:]


class Lock:
    """Held by one process's one thread; taken when made."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
