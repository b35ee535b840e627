"""The bytes of one PATCH: written as they arrive, so that a cut line loses next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import ClientDisconnect

from serai.imaging.uploads.parts import Parts
from serai.imaging.uploads.protocol import Checksum, ChecksumMismatch
from serai.kernel.errors import TooLarge

WRITE_FROM = 256 * 1024
# A line that has been silent for so long is dead, whatever TCP says.
SILENT_FOR_S = 120.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where the bytes go: `token` says that it is us who may write."""

    parts: Parts
    id: str
    token: str
    offset: int
    room: int


async def received(target: Target, chunks: AsyncIterator[bytes], checksum: Checksum | None) -> int:
    """The new size. With a checksum all of it counts or nothing."""
    summed = checksum.summing() if checksum else None
    waiting, arrived, whole = bytearray(), 0, False
    try:
        async for chunk in _until_silent(chunks):
            arrived += len(chunk)
            if arrived > target.room:
                raise TooLarge("uploads.beyond-length")
            if summed:
                summed.update(chunk)
            waiting += chunk
            if len(waiting) >= WRITE_FROM:
                await _write(target, waiting)
        whole = True
    except (ClientDisconnect, TimeoutError):
        whole = False
    finally:
        await _write(target, waiting)
    if checksum and summed and (not whole or summed.digest() != checksum.digest):
        await asyncio.to_thread(target.parts.cut, target.id, target.token, target.offset)
        raise ChecksumMismatch("uploads.checksum")
    return await asyncio.to_thread(target.parts.finish, target.id, target.token)


async def _write(target: Target, waiting: bytearray) -> None:
    if waiting:
        data = bytes(waiting)
        waiting.clear()
        await asyncio.to_thread(target.parts.append, target.id, target.token, data)


async def _until_silent(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(SILENT_FOR_S):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        yield chunk
