"""An image as a presentation state wants it seen: the state rendered, or named beside an image."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING
from zlib import crc32

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from serai.imaging.dicomweb import found
from serai.imaging.dicomweb.answers import CACHE, not_modified
from serai.imaging.dicomweb.found import Address, Object
from serai.imaging.dicomweb.multipart import closing, part_header
from serai.imaging.dicomweb.rendered import wish_of
from serai.imaging.dicomweb.retrieve import related
from serai.imaging.dicomweb.stored import stored_frame
from serai.imaging.rendering.wish import Wish
from serai.kernel.errors import NotFound
from serai.kernel.ids import new_id
from serai.platform.blobs import Blobs

if TYPE_CHECKING:
    from serai.imaging.presentation import State


async def picture(request: Request, address: Address, there: Object) -> Response:
    """The first image the state is for; as multipart, all of them, every frame."""
    media_range, wish = wish_of(request)
    state = await _state(request, there)
    shown = _shown(request, address.study, state, wish)
    if not media_range.multipart:
        return await _one(request, there, wish, shown)
    # The first before the headers: what cannot be drawn is refused, not cut off.
    first, boundary = await anext(shown), new_id()

    async def parts() -> AsyncIterator[bytes]:
        yield part_header(boundary, wish.media_type) + first
        async for image in shown:
            yield part_header(boundary, wish.media_type) + image
        yield closing(boundary)

    kind = related(wish.media_type, boundary)
    return StreamingResponse(parts(), headers=CACHE, media_type=kind)


async def named(request: Request, image: Address, state: Address, wish: Wish) -> Response:
    """One frame of an image under a state of the same study (WADO-URI, PS3.18 §9.1.2.3)."""
    there = await found.whole_object(request, state)
    applied = await _state(request, there)
    content = await _composed(request, image, wish.frame, applied, wish)
    return Response(content, headers=CACHE, media_type=wish.media_type)


async def _one(
    request: Request, there: Object, wish: Wish, shown: AsyncIterator[bytes]
) -> Response:
    etag = f'"{there.stored.blob[:32]}-{crc32(repr(wish).encode()):x}"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(await anext(shown), headers=headers, media_type=wish.media_type)


async def _state(request: Request, there: Object) -> State:
    from serai.imaging.presentation import read_state

    store: Blobs = request.app.state.blobs
    return await asyncio.to_thread(read_state, await store.get(there.stored.blob))


async def _shown(request: Request, study: str, state: State, wish: Wish) -> AsyncIterator[bytes]:
    targets = state.targets
    if not targets:
        raise NotFound("wado.nothing-there")
    for target in targets:
        address = Address(study, target.series, target.instance)
        frames = target.frames or range(1, await _count(request, address) + 1)
        for frame in frames:
            yield await _composed(request, address, frame - 1, state, wish)


async def _count(request: Request, address: Address) -> int:
    return sum(each.frames for each in await found.pictures(request, address))


async def _composed(
    request: Request, address: Address, frame: int, state: State, wish: Wish
) -> bytes:
    from serai.imaging.presentation import drawn
    from serai.imaging.rendering import drawing

    if frame < 0:
        raise NotFound("wado.no-such-frame")
    metadata, source = await found.described_frame(request, address, frame)
    if frame >= source.frames:
        raise NotFound("wado.no-such-frame", frames=source.frames)
    wish = replace(wish, frame=frame)
    header = drawing.read(metadata, source.transfer_syntax, wish)
    store: Blobs = request.app.state.blobs
    whole = header.described.photometric == "PALETTE COLOR"
    if whole or (source.table is None and source.frame_bits is None):
        content = await store.get(source.blob)
        pixels = await asyncio.to_thread(drawing.pixels_of_object, content, header, wish)
    else:
        stored = await stored_frame(store, source, frame)
        pixels = await asyncio.to_thread(drawing.pixels_of, stored, header)
    inverted = header.described.photometric == "MONOCHROME1"
    look = state.look(address.instance, frame + 1)
    if wish.window:
        look = replace(look, window=wish.window, voi_table=None)
    return await asyncio.to_thread(drawn, pixels, look, wish, inverted=inverted)
