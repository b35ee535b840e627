"""Range requests (RFC 9110 §14): a transfer broken off goes on where it stopped."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request

from serai.kernel.errors import SeraiError
from serai.platform.blobs import Blobs

ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
PIECE = 4 * 1024 * 1024


class NotInRange(SeraiError):
    """The range asked for begins behind the end."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The bytes to send of a content that has `size`."""

    start: int
    length: int
    size: int

    @property
    def status(self) -> int:
        return 200 if self.length == self.size else 206

    def headers(self) -> dict[str, str]:
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(self.length)}
        if self.status == 206:
            last = self.start + self.length - 1
            headers["Content-Range"] = f"bytes {self.start}-{last}/{self.size}"
        return headers


def wanted(request: Request, etag: str, size: int) -> Stretch:
    """One range of bytes; several ranges, or another version's, are answered with everything."""
    everything = Stretch(0, size, size)
    found = ONE_RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    condition = request.headers.get("if-range")
    if found is None or found[1] == found[2] == "" or (condition and condition != etag):
        return everything
    if not found[1]:
        length = min(int(found[2]), size)
        start, end = size - length, size
    else:
        start, end = int(found[1]), min(int(found[2] or size) + 1, size)
        if found[2] and int(found[2]) < start:
            return everything
    if start >= end:
        raise NotInRange("wado.range", size=size)
    return Stretch(start, end - start, size)


async def pieces(store: Blobs, blob: str, start: int, length: int) -> AsyncIterator[bytes]:
    """A stretch of a blob, however long, with little of it in memory."""
    end = start + length
    while start < end:
        piece = await store.get_range(blob, start, min(PIECE, end - start))
        if not piece:
            return
        yield piece
        start += len(piece)


async def begun(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same content, its first part at hand: what cannot be read at all is refused with a
    status, before the headers promise it."""
    first = await anext(content, b"")
    return _with_first(first, content)


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part
