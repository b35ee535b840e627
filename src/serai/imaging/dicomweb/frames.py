"""Frames of pixel data, WADO-RS (PS3.18 §10.4.1.1.6): as stored, or in another syntax."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import islice

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from serai.imaging.dataset import part10
from serai.imaging.dicomweb import found, ranges
from serai.imaging.dicomweb.accept import MediaRange, acceptable
from serai.imaging.dicomweb.answers import CACHE, not_modified
from serai.imaging.dicomweb.found import Frames
from serai.imaging.dicomweb.multipart import closing, part_header
from serai.imaging.dicomweb.pieces import Pieces
from serai.imaging.dicomweb.retrieve import OCTETS, related
from serai.imaging.dicomweb.stored import stored_frame
from serai.imaging.rendering.native import can_decode
from serai.imaging.rendering.syntaxes import DEFAULTS, MEDIA_TYPES, WRITTEN
from serai.kernel.errors import Malformed, NotFound, Unsupported
from serai.kernel.ids import new_id
from serai.platform.blobs import Blobs

MAX_FRAMES_AT_ONCE = 1000
LITTLE = part10.EXPLICIT_VR_LITTLE_ENDIAN


@dataclass(frozen=True, slots=True)
class Form:
    """How the answer's frames are given."""

    media_type: str
    transfer_syntax: str
    multipart: bool
    decode: bool


async def frames(request: Request) -> Response:
    """GET …/frames/1 or /frames/1,2,3; numbers count from 1."""
    numbers = frame_numbers(request.path_params["frames"])
    source = await found.frames(request, min(numbers), max(numbers))
    if max(numbers) >= source.frames:
        raise NotFound("wado.no-such-frame", frames=source.frames)
    return await _answer(request, source, numbers)


async def pixel_data(request: Request) -> Response:
    """GET …/pixeldata: every frame (PS3.18 §10.4.1.1.5)."""
    source = await found.frames(request, 0, found.ALL_FRAMES)
    return await _answer(request, source, list(range(source.frames)))


async def _answer(request: Request, source: Frames, numbers: list[int]) -> Response:
    form = _form(acceptable(request), source, len(numbers))
    etag = f'"{source.blob[:32]}-{_hash_of(numbers)}-{form.transfer_syntax}-{form.multipart:d}"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    contents = _contents(request, source, numbers, form)
    # The first frame before the headers: what cannot be given is refused, not cut off.
    first = await anext(contents)
    if form.multipart:
        boundary = new_id()
        head = part_header(boundary, f"{form.media_type}; transfer-syntax={form.transfer_syntax}")
        media_type = related(form.media_type, boundary)
        if len(numbers) == 1:
            pieces = (head, first, closing(boundary))
            return Pieces(pieces, headers=headers, media_type=media_type)
        parts = _parts(head, first, contents, boundary)
        return StreamingResponse(parts, headers=headers, media_type=media_type)
    stretch = ranges.wanted(request, etag, len(first))
    part = first[stretch.start : stretch.start + stretch.length]
    headers |= stretch.headers()
    return Response(part, stretch.status, headers=headers, media_type=form.media_type)


async def _parts(
    head: bytes, first: bytes, rest: AsyncIterator[bytes], boundary: str
) -> AsyncIterator[bytes]:
    yield head + first
    async for content in rest:
        yield head + content
    yield closing(boundary)


def frame_numbers(text: str) -> list[int]:
    """`1,5,6` as places counted from 0."""
    parts = text.split(",")
    if len(parts) > MAX_FRAMES_AT_ONCE:
        raise Malformed("wado.too-many-frames", most=MAX_FRAMES_AT_ONCE)
    if not all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts):
        raise Malformed("wado.frame-list")
    numbers = [int(part) - 1 for part in parts]
    if min(numbers) < 0:
        raise NotFound("wado.no-such-frame")
    return numbers


def _hash_of(numbers: list[int]) -> str:
    listed = ".".join(map(str, numbers))
    return listed if len(listed) < 40 else blake2b(listed.encode(), digest_size=12).hexdigest()


def _form(accepted: list[MediaRange], source: Frames, count: int) -> Form:
    """The dearest form we can give: as stored, decoded, or transcoded."""
    for each in accepted:
        if not each.multipart and each.name != "*/*" and count > 1:
            continue
        form = _as_stored(each, source) or _decoded(each, source) or _transcoded(each, source)
        if form:
            return form
    offered = sorted({OCTETS, *MEDIA_TYPES.values()} if can_decode(source.transfer_syntax) else ())
    raise Unsupported("wado.not-acceptable", offered=offered, stored=source.transfer_syntax)


def _multipart(each: MediaRange) -> bool:
    return each.multipart or each.name == "*/*"


def _as_stored(each: MediaRange, source: Frames) -> Form | None:
    syntax = each.transfer_syntax
    if source.transfer_syntax in part10.NATIVE:
        # Octets are little endian whatever the object's order of bytes and VRs is.
        plain = syntax in (None, "*", LITTLE, part10.IMPLICIT_VR_LITTLE_ENDIAN)
        if each.covers(OCTETS) and plain:
            return Form(OCTETS, LITTLE, _multipart(each), decode=False)
        return None
    stored = MEDIA_TYPES.get(source.transfer_syntax, OCTETS)
    # OHIF asks for octet-stream with any syntax, and reads the part's own type.
    any_syntax = syntax in ("*", source.transfer_syntax) and each.type in (OCTETS, "*/*", stored)
    if any_syntax or (each.covers(stored) and syntax in (None, "*", source.transfer_syntax)):
        return Form(stored, source.transfer_syntax, _multipart(each), decode=False)
    return None


def _decoded(each: MediaRange, source: Frames) -> Form | None:
    plain = each.transfer_syntax in (None, "*", LITTLE, part10.IMPLICIT_VR_LITTLE_ENDIAN)
    if each.covers(OCTETS) and plain and can_decode(source.transfer_syntax):
        return Form(OCTETS, LITTLE, _multipart(each), decode=True)
    return None


def _transcoded(each: MediaRange, source: Frames) -> Form | None:
    asked = each.transfer_syntax
    syntax = DEFAULTS.get(each.type) if asked in (None, "*") else asked
    if syntax not in WRITTEN or not can_decode(source.transfer_syntax):
        return None
    media_type = MEDIA_TYPES[syntax]
    if each.covers(media_type) or each.type == OCTETS:
        return Form(media_type, syntax, _multipart(each), decode=True)
    return None


async def _contents(
    request: Request, source: Frames, numbers: list[int], form: Form
) -> AsyncIterator[bytes]:
    store: Blobs = request.app.state.blobs
    places_known = source.table is not None or source.frame_bits is not None
    if form.decode and not places_known:
        for content in await _from_whole(store, source, numbers, form):
            yield content
        return
    change = await _change(request, source, form) if form.decode else None
    for number in numbers:
        stored = await stored_frame(store, source, number)
        yield await asyncio.to_thread(change, stored) if change else stored


async def _change(request: Request, source: Frames, form: Form) -> partial[bytes]:
    from serai.imaging.rendering.description import of_metadata
    from serai.imaging.rendering.transcoding import transcoded_frame

    described, _ = of_metadata((await found.metadata(request))[0])
    return partial(
        transcoded_frame,
        described=described,
        stored_syntax=source.transfer_syntax,
        wanted_syntax=form.transfer_syntax,
    )


async def _from_whole(store: Blobs, source: Frames, numbers: list[int], form: Form) -> list[bytes]:
    """Frames whose places the object does not tell: decoded one after the other."""
    from serai.imaging.rendering.transcoding import all_frames

    content = await store.get(source.blob)

    def wanted() -> list[bytes]:
        upto = islice(all_frames(content, form.transfer_syntax), max(numbers) + 1)
        chosen = {number: frame for number, frame in enumerate(upto) if number in numbers}
        return [chosen[number] for number in numbers]

    return await asyncio.to_thread(wanted)
