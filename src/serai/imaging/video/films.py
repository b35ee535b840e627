"""MP4 files and stills of video objects: made on first use by a bounded process, kept a while."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final

from serai.kernel.errors import NotFound, Unavailable, Unsupported
from serai.kernel.ids import new_id
from serai.platform.blobs import Blobs

JPEG: Final = "1.2.840.10008.1.2.4."
# MPEG-2, MPEG-4 AVC/H.264 and HEVC/H.265, and their fragmentable forms (PS3.5 §A.4.5 to §A.4.9).
SYNTAXES: Final = frozenset(
    f"{JPEG}{each}{form}" for each in range(100, 107) for form in ("", ".1")
) | {f"{JPEG}107", f"{JPEG}108"}
AT_ONCE = 1
WAIT_S = 20.0
LONGEST_S = 3600.0
PIECE = 4 * 1024 * 1024
KEPT_BYTES = 4 * 1024**3
KEPT_S = 24 * 3600
ITEM = Struct("<HHL")
ITEM_TAG, DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
USUAL_RATE = 25.0
# What the process needs to start; the server's secrets are none of its business.
INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class Source:
    """A video object: its blob and where in it the pixel data lies."""

    blob: str
    start: int
    length: int
    rate: float = USUAL_RATE


def is_video(transfer_syntax: str) -> bool:
    return transfer_syntax in SYNTAXES


class Films:
    """One per process. A blob never changes, so its film never does."""

    def __init__(self, store: Blobs, folder: Path, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._store = store
        self._folder = folder
        self._kept_bytes = kept_bytes
        self._making: dict[Path, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def film(self, source: Source) -> Path:
        """The object as MP4 with H.264."""
        return await self._made(source, "film", f"{source.rate:.6g}", "mp4")

    async def still(self, source: Source, frame: int) -> bytes:
        """One frame as JPEG, counted from 0."""
        path = await self._made(source, "still", str(frame), "jpg")
        return await asyncio.to_thread(path.read_bytes)

    async def _made(self, source: Source, kind: str, number: str, suffix: str) -> Path:
        path = self._folder / f"{source.blob}.{number}.{suffix}"
        if await asyncio.to_thread(_used, path):
            return path
        making = self._making.get(path)
        if making is None:
            making = asyncio.ensure_future(self._make(source, kind, number, path))
            making.add_done_callback(lambda done: self._ended(path, done))
            self._making[path] = making
        try:
            await asyncio.wait_for(asyncio.shield(making), WAIT_S)
        except TimeoutError as error:
            # It goes on; whoever asks again finds it finished.
            raise Unavailable("video.being-made") from error
        return path

    def _ended(self, path: Path, done: asyncio.Task[None]) -> None:
        self._making.pop(path, None)
        if not done.cancelled():
            # Those who waited were told; nobody may be left who waits.
            done.exception()

    async def _make(self, source: Source, kind: str, number: str, path: Path) -> None:
        async with self._turns:
            await asyncio.to_thread(self._make_room)
            unfinished = path.with_name(f"{path.name}.{new_id()}")
            stream = unfinished.with_suffix(".stream")
            try:
                await self._spool(source, stream)
                await _run(kind, stream, unfinished, number)
                await asyncio.to_thread(unfinished.replace, path)
            finally:
                await asyncio.to_thread(_delete, stream, unfinished)

    async def _spool(self, source: Source, target: Path) -> None:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123, ASYNC230 - written a piece at a time
            async for piece in self.stream(source):
                await asyncio.to_thread(file.write, piece)

    async def stream(self, source: Source) -> AsyncIterator[bytes]:
        """The bit stream: the fragments joined, without the offset table (PS3.5 §A.4)."""
        at, end, first = source.start, source.start + source.length, True
        while at + ITEM.size <= end:
            head = await self._store.get_range(source.blob, at, ITEM.size)
            if len(head) < ITEM.size:
                return
            group, element, length = ITEM.unpack(head)
            at += ITEM.size
            if (group, element) != ITEM_TAG or at + length > end:
                return
            if not first:
                for start, size in _pieces(at, length):
                    yield await self._store.get_range(source.blob, start, size)
            at, first = at + length, False

    def _make_room(self) -> None:
        """Forget what was not looked at for a day, and the oldest of what is too much."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = [(path.stat(), path) for path in self._folder.iterdir() if path.is_file()]
        left, now = sum(status.st_size for status, _ in files), time.time()
        for status, path in sorted(files, key=lambda each: each[0].st_mtime):
            age = now - status.st_mtime
            # What was touched within the hour is being read or made.
            if age > KEPT_S or (left > self._kept_bytes and age > 3600):
                path.unlink(missing_ok=True)
                left -= status.st_size


def _pieces(start: int, length: int) -> Iterator[tuple[int, int]]:
    for done in range(0, length, PIECE):
        yield start + done, min(PIECE, length - done)


async def _run(kind: str, stream: Path, target: Path, number: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", "5", sys.executable, "-m", "serai.imaging.video.making"),
        *(kind, str(stream), str(target), number),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in INHERITED if name in os.environ},
    )
    try:
        code = await asyncio.wait_for(process.wait(), LONGEST_S)
    except TimeoutError as error:
        raise Unsupported("rendering.undecodable") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        if kind == "still":
            raise NotFound("wado.no-such-frame")
        raise Unsupported("rendering.undecodable")


def _used(path: Path) -> bool:
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _delete(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
