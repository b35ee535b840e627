"""A file-set as a zip archive, written while it is sent (PS3.18 §10.4, application/zip)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from serai.imaging.dataset.part10 import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, NATIVE
from serai.imaging.media.contents import Contents
from serai.platform.blobs import Blobs

# Pixels as they are shrink by half at little cost; what is compressed already does not.
QUICK = 1
SHRINKS = NATIVE - {DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN}
# From here on the archive must be told beforehand that sizes need 64 bits.
LARGE = 1 << 30


class _Sink:
    """What the archive has written and nobody has taken yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Everything is where it belongs already."""

    def close(self) -> None:
        """Nothing is held open."""

    def taken(self) -> Iterator[bytes]:
        parts, self._parts = self._parts, []
        yield from parts


async def zipped(
    contents: Contents, blobs: Blobs, beside: Mapping[str, bytes], now: datetime
) -> AsyncIterator[bytes]:
    """The archive a piece at a time, the files `beside` the objects first.

    Memory holds no more than one piece of one object.
    """
    sink = _Sink()
    with ZipFile(sink, "w") as archive:
        for name, content in beside.items():
            archive.writestr(_entry(name, now, shrinks=True), content)
        for file in contents.files:
            entry = _entry(file.path, now, shrinks=file.transfer_syntax in SHRINKS)
            with archive.open(entry, "w", force_zip64=file.size >= LARGE) as member:
                async for part in contents.pieces(blobs, file):
                    await asyncio.to_thread(member.write, part)
                    for written in sink.taken():
                        yield written
    for written in sink.taken():
        yield written


def _entry(name: str, now: datetime, *, shrinks: bool) -> ZipInfo:
    entry = ZipInfo(name, now.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED if shrinks else ZIP_STORED
    # It has a public name from Python 3.13 on.
    entry._compresslevel = QUICK  # type: ignore[attr-defined]  # noqa: SLF001
    return entry
