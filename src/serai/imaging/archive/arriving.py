"""One object as its bytes come in: a small one stays in memory, a larger one goes to a file.

The file is written and summed while the rest is still on its way, and made durable while its
header is read, so that little is left to do when the last byte has come: by the log of blobs,
or, past what that takes, by a sync of its own. Memory stays flat at any size.
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
from serai.imaging.archive.staging import STAGED_UP_TO
from serai.kernel.errors import SeraiError
from serai.platform.blob_log import LOGGED_UP_TO, write_all
from serai.platform.blobs import Blobs, storage_errors

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
        # Until it is too large for the log.
        self._logged: list[bytes | memoryview] | None = []
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
        self._parts += parts
        self._waiting += sum(len(part) for part in parts)
        if self._file or self._waiting > STAGED_UP_TO:
            try:
                with storage_errors():
                    self._spill()
            except SeraiError as error:
                self._failure, self._parts = error, []

    def received(self) -> Received:
        """The whole object; Malformed when its header cannot be read."""
        if self._failure:
            raise self._failure
        if self._file is None:
            return receive(b"".join(self._parts))
        sha256 = self._summed.hexdigest()
        if self._logged:
            return replace(receive(self._path), sha256=sha256, for_log=tuple(self._logged))
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
        for part in self._parts:
            self._summed.update(part)
        self._size += self._waiting
        if self._size > LOGGED_UP_TO:
            self._logged = None
        elif self._logged is not None:
            self._logged += self._parts
        self._parts, self._waiting = [], 0
