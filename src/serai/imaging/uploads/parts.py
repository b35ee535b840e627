"""The bytes of unfinished uploads: files that only grow, one writer at a time.

Whoever comes last may write: on a dead line the sender is back long before the server can know
that the connection of before is gone, and what still comes over that one must not be mixed in.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from serai.kernel.errors import Conflict, NotFound, Unavailable
from serai.kernel.ids import new_id
from serai.platform.blobs import DISK_FULL

# Left for everything else that has to be written.
RESERVE = 1 << 30
WRITER = ".writer"


class Parts:
    """A folder of files named by the id of their upload."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "uploads"

    def create(self, id: str, length: int) -> None:
        with _storage_errors():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self._folder).free < length + RESERVE:
                raise Unavailable("storage.full")
            self.path(id).touch(mode=0o600)

    def path(self, id: str) -> Path:
        return self._folder / id

    def size(self, id: str) -> int:
        try:
            return self.path(id).stat().st_size
        except FileNotFoundError as error:
            raise NotFound("uploads.not-there") from error

    def take(self, id: str, offset: int) -> str:
        """Become the one who writes from `offset` on; Conflict when that is not the end."""
        with self._locked(id) as mark:
            if self.size(id) != offset:
                raise Conflict("uploads.offset", offset=self.size(id))
            token = new_id()
            mark.truncate(0)
            mark.write(token.encode())
            return token

    def append(self, id: str, token: str, data: bytes) -> None:
        with self._ours(id, token), self.path(id).open("ab") as file:
            file.write(data)

    def finish(self, id: str, token: str) -> int:
        """What was appended is on disk; the size."""
        with self._ours(id, token), self.path(id).open("rb") as file:
            os.fsync(file.fileno())
        return self.size(id)

    def cut(self, id: str, token: str, size: int) -> None:
        with self._ours(id, token):
            os.truncate(self.path(id), size)

    def remove(self, id: str) -> None:
        for path in (self.path(id), self.path(id + WRITER)):
            path.unlink(missing_ok=True)

    def remove_older(self, than: float) -> None:
        """What a crash has left without an upload."""
        for path in self._folder.glob("*"):
            if path.stat().st_mtime < than:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    @contextmanager
    def _ours(self, id: str, token: str) -> Iterator[None]:
        with self._locked(id) as mark:
            mark.seek(0)
            if mark.read().decode() != token:
                raise Conflict("uploads.taken-over")
            yield

    @contextmanager
    def _locked(self, id: str) -> Iterator[BinaryIO]:
        self.size(id)
        with _storage_errors(), self.path(id + WRITER).open("a+b") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX)
            yield mark


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        key = "storage.full" if error.errno in DISK_FULL else "storage.unwritable"
        raise Unavailable(key, reason=error.strerror or "") from error
