"""One object as its bytes come in: up to what the log of blobs takes it stays in memory, a larger
one goes to a file.

It is summed while the rest is still on its way, and a file is made durable while its header is
read, so that little is left to do when the last byte has come. Memory stays flat at any size.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from serai.imaging.archive.content import Received, receive
from serai.kernel.errors import SeraiError
from serai.platform.blob_log import LOGGED_UP_TO, write_all
from serai.platform.blobs import Blobs, storage_errors

# Less is not worth a call.
WRITE_FROM = 256 * 1024
# Syncs wait for the disk, not for a core.
_SYNCING = ThreadPoolExecutor(max_workers=8, thread_name_prefix="sync")


class Arriving:
    """Used as a context, which deletes the file of an object that nobody has kept."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._parts: list[bytes | memoryview] = []
        self._waiting = 0
        self._summed = hashlib.sha256()
        self._file: FileIO | None = None
        self._path = Path()
        self._size = 0
        self._failure: SeraiError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def add(self, *parts: bytes | memoryview) -> None:
        """The parts are kept as they are, without a copy: they must not change any more.
        What cannot be written is said when the object is complete, by `received`."""
        if self._failure:
            return
        for part in parts:
            self._summed.update(part)
            self._parts.append(part)
            self._waiting += len(part)
        if self._waiting > (WRITE_FROM if self._file else LOGGED_UP_TO):
            try:
                with storage_errors():
                    self._spill()
            except SeraiError as error:
                self._failure, self._parts = error, []

    def received(self) -> Received:
        """The whole object; Malformed when its header cannot be read."""
        if self._failure:
            raise self._failure
        sha256 = self._summed.hexdigest()
        if self._file is None:
            # Once: an object is in memory as its parts or as a whole.
            content, self._parts = b"".join(self._parts), []
            return replace(receive(content), sha256=sha256)
        with storage_errors():
            self._spill()
        syncing = _SYNCING.submit(os.fdatasync, self._file.fileno())
        try:
            return replace(receive(self._path), sha256=sha256)
        finally:
            with storage_errors():
                syncing.result()

    def _spill(self) -> None:
        if self._file is None:
            self._path = self._blobs.unfinished_file()
            self._file = FileIO(self._path, "xb")
        write_all(self._file.fileno(), self._parts, self._size)
        self._size += self._waiting
        self._parts, self._waiting = [], 0
