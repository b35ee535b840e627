"""multipart/related (RFC 2387), read and written a piece at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from serai.imaging.dicomweb.accept import parameters
from serai.kernel.errors import Malformed, TooLarge, Unsupported

MAX_HEADER = 16 * 1024
MAX_BOUNDARY = 70


@dataclass(slots=True)
class PartStart:
    """A new part with these headers begins; names are lower case."""

    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class PartEnd:
    """The part that began last is complete."""


Event = PartStart | bytes | PartEnd


class Parser:
    """Feed it bytes as they come; it yields part starts, their data, and part ends."""

    def __init__(self, content_type: str) -> None:
        name, _, _ = content_type.partition(";")
        if name.strip().lower() != "multipart/related":
            raise Unsupported("multipart.not-related", content_type=name.strip()[:100])
        boundary = parameters(content_type[len(name) :]).get("boundary", "")
        if not 0 < len(boundary) <= MAX_BOUNDARY:
            raise Malformed("multipart.no-boundary")
        self._delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
        # The first delimiter may stand at the very start, without a line before it.
        self._waiting = bytearray(b"\r\n")
        self._state = self._preamble
        self.finished = False

    def feed(self, data: bytes) -> Iterator[Event]:
        self._waiting += data
        while not self.finished:
            event = self._state()
            if event is None:
                return
            if event != b"":
                yield event

    def _preamble(self) -> Event | None:
        at = self._waiting.find(self._delimiter)
        if at < 0:
            del self._waiting[: -len(self._delimiter)]
            return None
        del self._waiting[: at + len(self._delimiter)]
        self._state = self._after_delimiter
        return b""

    def _after_delimiter(self) -> Event | None:
        if len(self._waiting) < 2:
            return None
        if self._waiting.startswith(b"--"):
            self.finished = True
            return None
        self._state = self._headers
        return b""

    def _headers(self) -> Event | None:
        end = self._waiting.find(b"\r\n\r\n")
        if end < 0:
            if len(self._waiting) > MAX_HEADER:
                raise TooLarge("multipart.headers-too-large")
            return None
        lines = bytes(self._waiting[:end]).decode("latin-1").split("\r\n")
        # What follows the headers' last line break may itself begin a delimiter: an empty part.
        del self._waiting[: end + 2]
        pairs = (line.partition(":") for line in lines if ":" in line)
        self._state = self._line_break
        return PartStart({name.strip().lower(): value.strip() for name, _, value in pairs})

    def _line_break(self) -> Event | None:
        if len(self._waiting) < len(self._delimiter):
            return None
        if not self._waiting.startswith(self._delimiter):
            del self._waiting[:2]
        self._state = self._content
        return b""

    def _content(self) -> Event | None:
        at = self._waiting.find(self._delimiter)
        if at >= 0:
            self._state = self._part_end
            return self._taken(at, at + len(self._delimiter))
        safe = len(self._waiting) - len(self._delimiter)
        return self._taken(safe, safe) if safe > 0 else None

    def _taken(self, end: int, behind: int) -> bytes:
        """What stands before `end`; everything before `behind` goes."""
        with memoryview(self._waiting) as waiting, waiting[:end] as content:
            taken = bytes(content)
        del self._waiting[:behind]
        return taken

    def _part_end(self) -> Event | None:
        self._state = self._after_delimiter
        return PartEnd()


async def events(content_type: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The events of a whole body; Malformed when it ends before its last delimiter."""
    parser = Parser(content_type)
    async for chunk in chunks:
        for event in parser.feed(chunk):
            yield event
    if not parser.finished:
        raise Malformed("multipart.truncated")


def part_header(boundary: str, content_type: str, location: str = "") -> bytes:
    """What stands before each part of an answer."""
    lines = [f"\r\n--{boundary}", f"Content-Type: {content_type}"]
    if location:
        lines.append(f"Content-Location: {location}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def closing(boundary: str) -> bytes:
    return f"\r\n--{boundary}--\r\n".encode("latin-1")
