"""Rendered and thumbnail resources (PS3.18 §10.4.1.1.3, §10.4.1.1.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from zlib import crc32

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from serai.imaging.dicomweb import found
from serai.imaging.dicomweb.accept import MediaRange, acceptable, first_covering
from serai.imaging.dicomweb.answers import CACHE, not_modified
from serai.imaging.dicomweb.films import still_of
from serai.imaging.dicomweb.found import Address, Frames, Picture
from serai.imaging.dicomweb.frames import frame_numbers
from serai.imaging.dicomweb.multipart import closing, part_header
from serai.imaging.dicomweb.retrieve import related
from serai.imaging.dicomweb.stored import stored_frame
from serai.imaging.rendering.wish import DEFAULT_QUALITY, FORMATS, FUNCTIONS, LINEAR, Window, Wish
from serai.imaging.video import is_video
from serai.kernel.errors import Malformed, NotFound, Unsupported
from serai.kernel.ids import new_id
from serai.platform.blobs import Blobs

THUMBNAIL = (128, 128)
MAX_SIDE = 8192
FILM = "video/mp4"
IS_FILM = "rendering.film"
PARAMETERS = frozenset({"accept", "charset", "iccprofile", "quality", "viewport", "window"})


async def rendered(request: Request) -> Response:
    """One image; of a study or series the middle one, or, as multipart, every frame."""
    media_range, wish = wish_of(request)
    if media_range.multipart and "frames" not in request.path_params:
        return await _every_frame(request, wish)
    return await _image(request, wish, multipart=media_range.multipart)


async def thumbnail(request: Request) -> Response:
    """A small picture to choose by; of the middle instance for a study or series."""
    media_range, wish = wish_of(request)
    if media_range.multipart:
        raise Unsupported("wado.not-acceptable", offered=sorted(FORMATS))
    return await _image(request, replace(wish, size=wish.size or THUMBNAIL), multipart=False)


async def _image(request: Request, wish: Wish, *, multipart: bool) -> Response:
    address = Address.of(request)
    if not address.instance:
        address = _middle(await found.pictures(request, address))
    return await one_image(request, address, wish, multipart=multipart)


async def one_image(request: Request, address: Address, wish: Wish, *, multipart: bool) -> Response:
    metadata, source = await found.described_frame(request, address, wish.frame)
    if is_video(source.transfer_syntax) and _takes_film(request):
        raise Unsupported(IS_FILM)
    etag = f'"{source.blob[:32]}-{crc32(repr(wish).encode()):x}{"m" * multipart}"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    image = await _drawn(request, metadata, source, wish)
    if not multipart:
        return Response(image, headers=headers, media_type=wish.media_type)
    boundary = new_id()
    body = part_header(boundary, wish.media_type) + image + closing(boundary)
    return Response(body, headers=headers, media_type=related(wish.media_type, boundary))


async def _every_frame(request: Request, wish: Wish) -> Response:
    pictures = await found.pictures(request, Address.of(request))
    images = _images(request, pictures, wish)
    # The first before the headers: what cannot be drawn is refused, not cut off.
    first, boundary = await anext(images), new_id()
    return StreamingResponse(
        _parts(first, images, part_header(boundary, wish.media_type), boundary),
        headers=CACHE,
        media_type=related(wish.media_type, boundary),
    )


async def _parts(
    first: bytes, rest: AsyncIterator[bytes], head: bytes, boundary: str
) -> AsyncIterator[bytes]:
    yield head + first
    async for image in rest:
        yield head + image
    yield closing(boundary)


async def _images(
    request: Request, pictures: Sequence[Picture], wish: Wish
) -> AsyncIterator[bytes]:
    for picture in pictures:
        for number in range(picture.frames):
            metadata, source = await found.described_frame(request, picture.address, number)
            yield await _drawn(request, metadata, source, replace(wish, frame=number))


def _middle(pictures: Sequence[Picture]) -> Address:
    return pictures[len(pictures) // 2].address


def _takes_film(request: Request) -> bool:
    """The object itself is asked for, and a film of it would do."""
    itself = "frames" not in request.path_params and request.url.path.endswith("/rendered")
    return itself and first_covering(acceptable(request), FILM) is not None


async def _drawn(request: Request, metadata: bytes, source: Frames, wish: Wish) -> bytes:
    from serai.imaging.rendering import drawing

    store: Blobs = request.app.state.blobs
    if is_video(source.transfer_syntax):
        return await still_of(request, source, wish)

    if wish.frame >= source.frames:
        raise NotFound("wado.no-such-frame", frames=source.frames)
    header = drawing.read(metadata, source.transfer_syntax, wish)
    if header.whole or (source.table is None and source.frame_bits is None):
        content = await store.get(source.blob)
        return await asyncio.to_thread(drawing.of_object, content, header, wish)
    stored = await stored_frame(store, source, wish.frame)
    return await asyncio.to_thread(drawing.of_frame, stored, header, wish)


def wish_of(request: Request) -> tuple[MediaRange, Wish]:
    """What the client asks for, and in which form."""
    wanted = first_covering(acceptable(request), *FORMATS)
    if wanted is None:
        raise Unsupported("wado.not-acceptable", offered=sorted(FORMATS))
    query = request.query_params
    for name in query:
        if name not in PARAMETERS:
            raise Malformed("rendering.parameter", parameter=name[:40])
    numbers = frame_numbers(request.path_params.get("frames", "1"))
    if len(numbers) > 1:
        raise Malformed("rendering.one-frame")
    quality = query.get("quality")
    size, region = _viewport(query.get("viewport"))
    return wanted[0], Wish(
        media_type=wanted[1],
        frame=numbers[0],
        window=window_of(query.get("window")),
        size=size,
        region=region,
        quality=within(quality, 1, 100) if quality else DEFAULT_QUALITY,
    )


def window_of(text: str | None) -> Window | None:
    """`centre,width,function` (PS3.18 §8.3.5.1.4)."""
    if text is None:
        return None
    centre_text, _, rest = text.partition(",")
    width_text, _, name = rest.partition(",")
    function = name.strip().upper().replace("-", "_") or LINEAR
    try:
        centre, width = float(centre_text), float(width_text)
    except ValueError as error:
        raise Malformed("rendering.window") from error
    if not 0 < width < 1e9 or not abs(centre) < 1e9 or function not in FUNCTIONS:
        raise Malformed("rendering.window")
    return Window(centre, width, function)


def _viewport(
    text: str | None,
) -> tuple[tuple[int, int] | None, tuple[int, int, int, int] | None]:
    """`width,height,x,y,w,h`: the size to fill, and the region that fills it."""
    if text is None:
        return None, None
    sides = text.split(",")
    if len(sides) not in (2, 6):
        raise Malformed("rendering.viewport")
    size = within(sides[0], 1, MAX_SIDE), within(sides[1], 1, MAX_SIDE)
    if len(sides) == 2:
        return size, None
    x, y = (within(each or "0", 0, 1 << 20) for each in sides[2:4])
    width, height = (_extent(each) for each in sides[4:])
    return size, (x, y, width, height)


def _extent(text: str) -> int:
    extent = within(text.removeprefix("-"), 1, 1 << 20)
    return -extent if text.startswith("-") else extent


def within(text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not low <= int(text) <= high:
        raise Malformed("rendering.number", value=text[:20])
    return int(text)
