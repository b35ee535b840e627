"""One file from an address to the blobs: bounded in size, and taken up again where it broke off.

What has arrived is on disk before it is written down as arrived, so that neither kill -9 nor a
power cut leaves a hole; the rest is asked for by Range (RFC 9110 §14), if the file is still the
same by its ETag.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import httpx

from serai.exchange.importing.recognise import GZIP_START
from serai.exchange.importing.sources import reading
from serai.fhir.bulk.inputs import Hosts
from serai.fhir.operations.importing import FORMAT
from serai.fhir.subscriptions.sending import why
from serai.kernel.errors import Invalid, NotFound, SeraiError, TooLarge, Unavailable, Unsupported
from serai.platform.blobs import Blobs
from serai.platform.running import Running, stopped_within

MEGABYTE = 1 << 20
ANSWER_WITHIN = httpx.Timeout(60.0, connect=10.0, pool=None)
# Such an answer may be another one in a moment.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip"})


@dataclass(frozen=True, slots=True)
class Arrived:
    """How much of a file is safely on disk, and the strong ETag of what it is part of."""

    size: int = 0
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a broken transfer is tried again, and how often it is written down."""

    tries: int = 6
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    note_every: int = 16 * MEGABYTE

    def pause_s(self, failures: int) -> float:
        return min(self.first_pause_s * 2.0 ** (failures - 1), self.longest_pause_s)


class BrokeOff(Exception):
    """The transfer ended early, or the other server asks to come again."""

    def __init__(self, error: SeraiError) -> None:
        super().__init__(error.key)
        self.error = error


Note = Callable[[Arrived], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fetcher:
    """`most` is how many bytes a file may have, as it is transferred and unpacked."""

    client: httpx.AsyncClient
    hosts: Hosts
    blobs: Blobs
    running: Running
    most: int
    pace: Pace = Pace()

    async def fetch(self, url: str, gathered: Path, arrived: Arrived, note: Note) -> str:
        """The digest of the blob. `gathered` holds what has `arrived`, of which `note` is told
        now and then; SeraiError when the file cannot be had."""
        transfer = _Transfer(self, url, gathered, arrived, note)
        failures, furthest = 0, arrived.size
        while True:
            try:
                await transfer.go()
                break
            except BrokeOff as broken:
                failures = 1 if transfer.arrived.size > furthest else failures + 1
                furthest = max(furthest, transfer.arrived.size)
                if failures >= self.pace.tries:
                    raise broken.error from broken
                await stopped_within(self.running.stop, self.pace.pause_s(failures))
                self.running.go_on()
        digest = await self.blobs.put(_unpacked(gathered, self.most))
        await asyncio.to_thread(gathered.unlink, missing_ok=True)
        return digest


@dataclass(slots=True)
class _Transfer:
    """One file on its way, over as many connections as it takes."""

    to: Fetcher
    url: str
    gathered: Path
    arrived: Arrived
    note: Note

    async def go(self) -> None:
        """To the end of the file, or BrokeOff."""
        try:
            answer = await self._asked()
            try:
                if not self._is_all(answer):
                    await self._take(answer)
            finally:
                await answer.aclose()
        except (httpx.TransportError, httpx.InvalidURL, ssl.SSLError) as error:
            raise BrokeOff(Invalid("import.broken-off", reason=why(error))) from error
        except OSError as error:
            raise Unavailable("storage.unwritable", reason=error.strerror or "") from error

    async def _asked(self) -> httpx.Response:
        """The address is judged anew for each connection, and the one judged is connected to."""
        endpoint = self.to.hosts.read(self.url)
        try:
            address = await self.to.hosts.resolve(endpoint)
        except NotFound as error:
            raise BrokeOff(error) from error
        url = httpx.URL(endpoint.url)
        headers = [
            ("host", url.netloc.decode()),
            ("accept", FORMAT),
            ("accept-encoding", "gzip"),
        ]
        if self.arrived.size and self.arrived.etag:
            headers.append(("range", f"bytes={self.arrived.size}-"))
            headers.append(("if-range", self.arrived.etag))
        request = self.to.client.build_request(
            "GET",
            url.copy_with(host=address),
            headers=headers,
            extensions={"sni_hostname": endpoint.host},
            timeout=ANSWER_WITHIN,
        )
        return await self.to.client.send(request, stream=True, follow_redirects=False)

    async def _take(self, answer: httpx.Response) -> None:
        start = self._start(answer)
        etag = answer.headers.get("etag", self.arrived.etag if start else "")
        etag = "" if etag.startswith("W/") else etag
        with await asyncio.to_thread(_open_at, self.gathered, start) as file:
            self.arrived = Arrived(start, etag)
            try:
                await self._write(answer, file)
            finally:
                await self._noted(file)

    async def _write(self, answer: httpx.Response, file: IO[bytes]) -> None:
        noted = file.tell()
        async for part in answer.aiter_raw():
            if file.tell() + len(part) > self.to.most:
                raise _too_large(self.to.most)
            self.to.running.go_on()
            file.write(part)
            if file.tell() - noted >= self.to.pace.note_every:
                await self._noted(file)
                noted = file.tell()

    async def _noted(self, file: IO[bytes]) -> None:
        await asyncio.to_thread(_sync, file)
        self.arrived = Arrived(file.tell(), self.arrived.etag)
        await self.note(self.arrived)

    def _is_all(self, answer: httpx.Response) -> bool:
        """Whether what we have is the whole file: then there is no rest to send (RFC 9110
        §15.5.17)."""
        whole = answer.headers.get("content-range") == f"bytes */{self.arrived.size}"
        return answer.status_code == 416 and whole and self.arrived.size > 0

    def _start(self, answer: httpx.Response) -> int:
        """Where in the file this answer begins."""
        self._require(answer)
        if answer.status_code != 206:
            return 0
        first = answer.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
        if first != str(self.arrived.size) or not self.arrived.size:
            self.arrived = Arrived()
            raise BrokeOff(Invalid("import.answered", status=206))
        return self.arrived.size

    def _require(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status == 416 and self.arrived.size:
            # It is shorter now than what we have of it.
            self.arrived = Arrived()
            raise BrokeOff(Invalid("import.answered", status=status))
        if 300 <= status < 400:
            raise Invalid("import.redirected")
        if status in PASSING:
            raise BrokeOff(Invalid("import.answered", status=status))
        if status not in (200, 206):
            raise Invalid("import.answered", status=status)
        if answer.headers.get("content-encoding", "").strip().lower() not in ENCODINGS:
            raise Unsupported("import.encoding")
        length = answer.headers.get("content-length", "0")
        if length.isascii() and length.isdecimal() and int(length) > self.to.most:
            raise _too_large(self.to.most)


def taken_over(left: Path, gathered: Path, size: int) -> None:
    """What another run had on disk, as a file of our own: should that run live yet, it goes on
    writing to its own."""
    if not left.exists() or left.stat().st_size < size:
        raise FileNotFoundError(left)
    with left.open("rb") as old, gathered.open("wb") as new:
        shutil.copyfileobj(old, new, MEGABYTE)
        new.truncate(size)
        _sync(new)
    left.unlink(missing_ok=True)


def _open_at(path: Path, start: int) -> IO[bytes]:
    file = path.open("r+b" if start else "wb")
    file.truncate(start)
    file.seek(start)
    return file


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


async def _unpacked(path: Path, most: int) -> AsyncIterator[bytes]:
    """The file in parts; gzip, of the transfer or of the file, is undone within the limit."""
    size = 0
    with await asyncio.to_thread(_opened, path) as stream:
        while part := await asyncio.to_thread(_read, stream):
            size += len(part)
            if size > most:
                raise _too_large(most)
            yield part


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(len(GZIP_START)) == GZIP_START
    return cast(IO[bytes], gzip.open(path)) if packed else path.open("rb")


def _read(stream: IO[bytes]) -> bytes:
    with reading():
        return stream.read(MEGABYTE)


def _too_large(most: int) -> TooLarge:
    return TooLarge("import.fetched-too-large", most=max(most // MEGABYTE, 1))
