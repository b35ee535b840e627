"""The body of a request: within limits, and large ones on disk until it is their turn.

Working on a transaction of ten megabytes takes many times its size in memory. However many
arrive together, a process works on so many at a time as there is room for, in the order in which
they were complete: a slow upload holds up nobody. Meanwhile the others hold no memory and no
connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from starlette.requests import Request

from serai.kernel.allocating import give_back
from serai.kernel.errors import TooLarge, Unavailable, Unsupported
from serai.platform.settings import Settings

MOST_BYTES = 64 * 1024 * 1024
LARGE = 128 * 1024
ROOM = 8 * 1024 * 1024
LARGE_ENOUGH_TO_TRIM = 2 * 1024 * 1024
# Longer than fifty large transactions take, shorter than the patience of whoever sent them.
TURN_WITHIN_S = 120.0


@dataclass(slots=True)
class Room:
    """For so many bytes of bodies at once; a larger body has it alone."""

    most: int = ROOM
    taken: int = 0
    waiting: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)

    async def enter(self, size: int) -> None:
        """First come, first served: a large one is not passed by small ones for ever."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((size, mine))
        self._admit()
        try:
            await mine
        except BaseException:
            if mine.cancelled():
                self._admit()
            else:
                self.leave(size)
            raise

    def leave(self, size: int) -> None:
        self.taken -= size
        self._admit()

    def _admit(self) -> None:
        while self.waiting:
            size, first = self.waiting[0]
            gone = first.cancelled()
            if not gone and self.taken and self.taken + size > self.most:
                return
            self.waiting.popleft()
            if not gone:
                self.taken += size
                first.set_result(None)


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[list[bytes]]:
    """The body in a list, so that whoever has read it can let go of it. It is empty where the
    method has none."""
    if request.method not in ("POST", "PUT", "PATCH"):
        yield [b""]
        return
    _require_acceptable(request)
    async with AsyncExitStack() as stack:
        try:
            body = await _whole(request, stack)
        except OSError as error:
            raise Unavailable("storage.unwritable", reason=error.strerror or "") from error
        if isinstance(body, bytes):
            yield [body]
            return
        async with _turn(request, body.tell()):
            body.seek(0)
            yield [body.read()]


def _require_acceptable(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unsupported("fhir.content-encoding")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 12 or int(announced) > MOST_BYTES):
        raise TooLarge("fhir.body-too-large", most=MOST_BYTES)


async def _whole(request: Request, stack: AsyncExitStack) -> bytes | IO[bytes]:
    chunks: list[bytes] = []
    size = 0
    file: IO[bytes] | None = None
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise TooLarge("fhir.body-too-large", most=MOST_BYTES)
        if file is None and size > LARGE:
            file = stack.enter_context(TemporaryFile(dir=_folder(request)))  # noqa: SIM115
            file.writelines(chunks)
        if file is None:
            chunks.append(chunk)
        else:
            file.write(chunk)
    return b"".join(chunks) if file is None else file


def _folder(request: Request) -> Path | None:
    """Beside the blobs: /tmp may be memory. The file has no name and dies with the process."""
    settings: Settings | None = getattr(request.app.state, "settings", None)
    return settings.home if settings is not None and settings.home.is_dir() else None


@asynccontextmanager
async def _turn(request: Request, size: int) -> AsyncIterator[None]:
    state = request.app.state
    if not hasattr(state, "room_for_bodies"):
        state.room_for_bodies = Room()
    room: Room = state.room_for_bodies
    try:
        async with asyncio.timeout(TURN_WITHIN_S):
            await room.enter(size)
    except TimeoutError as error:
        raise Unavailable("database.busy") from error
    try:
        yield
    finally:
        room.leave(size)
        if size > LARGE_ENOUGH_TO_TRIM:
            give_back()
