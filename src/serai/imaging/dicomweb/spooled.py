"""The content of a part as it comes in: in memory while it is small, else in a file."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from io import BufferedWriter
from pathlib import Path

from serai.platform.blobs import Blobs

# Parts up to this size are handled in memory, larger ones in a file beside the blobs.
IN_MEMORY = 4 * 1024 * 1024


class Spooled:
    """The content of one part as it grows."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._pieces: list[bytes] = []
        self._size = 0
        self._path = Path()
        self._file: BufferedWriter | None = None

    async def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= IN_MEMORY:
            await asyncio.to_thread(self._spill)

    async def complete(self, files: AsyncExitStack) -> bytes | Path:
        if self._file is None:
            return b"".join(self._pieces)
        await asyncio.to_thread(self._spill)
        self._file.close()
        self._file = None
        files.callback(self._path.unlink, missing_ok=True)
        return self._path

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def _spill(self) -> None:
        if self._file is None:
            self._path = self._blobs.unfinished_file()
            self._file = self._path.open("xb")
        self._file.write(b"".join(self._pieces))
        self._pieces, self._size = [], 0
