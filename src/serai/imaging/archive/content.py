"""An object's bytes on their way in: small ones in memory, large ones in a file."""

from __future__ import annotations

import asyncio
import hashlib
import mmap
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serai.imaging.archive.header import Instance, read_instance
from serai.imaging.dataset.elements import Buffer
from serai.imaging.dataset.part10 import data_set_start
from serai.kernel.errors import Malformed

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """One object whose header could be read, with its bytes exactly as they came."""

    instance: Instance
    content: bytes | Path
    # Known of what was summed as it came; a file has been synced then.
    sha256: str = ""

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @property
    def in_memory(self) -> int:
        """How many of its bytes are."""
        return len(self.content) if isinstance(self.content, bytes) else 0

    @property
    def for_blob(self) -> bytes | AsyncIterator[bytes]:
        return self.content if isinstance(self.content, bytes) else _chunks(self.content)

    def digest(self) -> str:
        """What the blob of these bytes is called."""
        if self.sha256:
            return self.sha256
        if isinstance(self.content, bytes):
            return hashlib.sha256(self.content).hexdigest()
        with self.content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def data_set(self) -> bytes:
        """The bytes behind the file meta information, which differs from sender to sender."""
        with buffer_of(self.content) as buffer:
            return bytes(buffer[data_set_start(buffer) :])


def receive(content: bytes | Path) -> Received:
    """Read the header of an object; Malformed with the reason when it cannot be kept."""
    with buffer_of(content) as buffer:
        return Received(read_instance(buffer), content)


@contextmanager
def buffer_of(content: bytes | Path) -> Iterator[Buffer]:
    """The bytes, mapped rather than read when they are in a file."""
    if isinstance(content, bytes):
        yield content
        return
    if content.stat().st_size == 0:
        raise Malformed("dicom.not-part10")
    with (
        content.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        yield mapped


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while part := await asyncio.to_thread(file.read, CHUNK):
            yield part
