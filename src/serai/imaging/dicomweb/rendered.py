"""Rendered and thumbnail resources (PS3.18 §10.4.1.1.3, §10.4.1.1.4)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from zlib import crc32

from starlette.requests import Request
from starlette.responses import Response

from serai.imaging.dicomweb import found
from serai.imaging.dicomweb.accept import acceptable, first_covering
from serai.imaging.dicomweb.answers import CACHE, not_modified
from serai.imaging.dicomweb.frames import frame_numbers
from serai.imaging.rendering.wish import DEFAULT_QUALITY, FORMATS, Wish
from serai.kernel.errors import Malformed, Unsupported

THUMBNAIL = (128, 128)
MAX_SIDE = 8192


async def rendered(request: Request) -> Response:
    """An instance's first frame, or the frame addressed, as an image."""
    return await _image(request, _wish(request))


async def thumbnail(request: Request) -> Response:
    """A small picture to choose by; of the middle instance for a study or series."""
    wish = _wish(request)
    return await _image(request, replace(wish, size=wish.size or THUMBNAIL))


async def _image(request: Request, wish: Wish) -> Response:
    from serai.imaging.rendering.still import render

    rows = await found.blobs(request)
    row = rows[len(rows) // 2]
    etag = f'"{row.blob[:32]}-{crc32(repr(wish).encode()):x}"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    content = await request.app.state.blobs.get(row.blob)
    image = await asyncio.to_thread(render, content, wish)
    return Response(image, headers=headers, media_type=wish.media_type)


def _wish(request: Request) -> Wish:
    wanted = first_covering(acceptable(request), *FORMATS)
    if wanted is None or wanted[0].multipart:
        raise Unsupported("wado.not-acceptable", offered=sorted(FORMATS))
    frame = frame_numbers(request.path_params.get("frames", "1"))[0]
    quality = request.query_params.get("quality")
    return Wish(
        media_type=wanted[1],
        frame=frame,
        window=_window(request.query_params.get("window")),
        size=_viewport(request.query_params.get("viewport")),
        quality=_within(quality, 1, 100) if quality else DEFAULT_QUALITY,
    )


def _window(text: str | None) -> tuple[float, float] | None:
    """`centre,width,function`; the linear function is what we draw."""
    if text is None:
        return None
    try:
        centre, width = (float(part) for part in text.split(",")[:2])
    except ValueError as error:
        raise Malformed("rendering.window") from error
    if not 0 < width < 1e9 or abs(centre) > 1e9:
        raise Malformed("rendering.window")
    return centre, width


def _viewport(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.split(",")
    if len(sides) < 2:
        raise Malformed("rendering.viewport")
    return _within(sides[0], 1, MAX_SIDE), _within(sides[1], 1, MAX_SIDE)


def _within(text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not low <= int(text) <= high:
        raise Malformed("rendering.number", value=text[:20])
    return int(text)
