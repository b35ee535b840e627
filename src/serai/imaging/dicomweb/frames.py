"""Frames of pixel data, WADO-RS (PS3.18 §10.4.1.1.6): one ranged read each, no parsing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from serai.imaging.dataset import part10, pixels
from serai.imaging.dicomweb import found
from serai.imaging.dicomweb.accept import MediaRange, acceptable
from serai.imaging.dicomweb.answers import CACHE, not_modified
from serai.imaging.dicomweb.found import Frames
from serai.imaging.dicomweb.multipart import closing, part_header
from serai.imaging.dicomweb.retrieve import OCTETS, little_endian, related
from serai.imaging.rendering.native import can_decode, decoded_frames
from serai.kernel.errors import Malformed, NotFound, Unsupported
from serai.kernel.ids import new_id
from serai.platform.blobs import Blobs

# Media types of compressed frames (PS3.18 Table 8.7.3-5).
MEDIA_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.110": "image/jxl",
    "1.2.840.10008.1.2.4.111": "image/jxl",
    "1.2.840.10008.1.2.4.112": "image/jxl",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.100": "video/mpeg",
    "1.2.840.10008.1.2.4.101": "video/mpeg",
    "1.2.840.10008.1.2.4.102": "video/mp4",
    "1.2.840.10008.1.2.4.103": "video/mp4",
    "1.2.840.10008.1.2.4.104": "video/mp4",
    "1.2.840.10008.1.2.4.105": "video/mp4",
    "1.2.840.10008.1.2.4.106": "video/mp4",
    "1.2.840.10008.1.2.4.107": "video/H265",
    "1.2.840.10008.1.2.4.108": "video/H265",
}
MAX_FRAMES_AT_ONCE = 1000


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
    form = _form(acceptable(request), source, len(numbers))
    etag = f'"{source.blob[:32]}-{hash_of(numbers)}-{form.media_type}-{form.multipart:d}"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    contents = await _contents(request.app.state.blobs, source, numbers, form)
    if not form.multipart:
        return Response(contents[0], headers=headers, media_type=form.media_type)
    boundary = new_id()
    kind = f"{form.media_type}; transfer-syntax={form.transfer_syntax}"
    head = part_header(boundary, kind)
    body = b"".join(piece for content in contents for piece in (head, content))
    media_type = related(form.media_type, boundary)
    return Response(body + closing(boundary), headers=headers, media_type=media_type)


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


def hash_of(numbers: list[int]) -> str:
    return ".".join(map(str, numbers)) if len(numbers) < 20 else f"{hash(tuple(numbers)):x}"


def _form(ranges: list[MediaRange], source: Frames, count: int) -> Form:
    """The dearest form we can give: as stored, or decoded to little endian."""
    native = source.transfer_syntax in part10.NATIVE
    stored = OCTETS if native else MEDIA_TYPES.get(source.transfer_syntax, OCTETS)
    for each in ranges:
        if not each.multipart and each.name != "*/*" and count > 1:
            continue
        multipart = each.multipart or each.name == "*/*"
        syntax = each.transfer_syntax
        # OHIF asks for octet-stream with any syntax, and reads the part's own type.
        any_syntax = syntax == "*" and each.type in (OCTETS, "*/*", stored)
        if not native and (any_syntax or (each.covers(stored) and _fits(syntax, source))):
            return Form(stored, source.transfer_syntax, multipart, decode=False)
        asks_native = syntax in (None, "*", part10.EXPLICIT_VR_LITTLE_ENDIAN)
        if each.covers(OCTETS) and asks_native and can_decode(source.transfer_syntax):
            little = part10.EXPLICIT_VR_LITTLE_ENDIAN
            return Form(OCTETS, little, multipart, decode=not native)
    raise Unsupported("wado.not-acceptable", offered=[stored], stored=source.transfer_syntax)


def _fits(syntax: str | None, source: Frames) -> bool:
    return syntax in (None, "*", source.transfer_syntax)


async def _contents(store: Blobs, source: Frames, numbers: list[int], form: Form) -> list[bytes]:
    if form.decode:
        content = await store.get(source.blob)
        return await asyncio.to_thread(decoded_frames, content, numbers)
    if source.table is not None:
        return [await _encapsulated(store, source, number) for number in numbers]
    if source.frame_bits is None:
        raise NotFound("wado.no-frame-places")
    return [await _native(store, source, number) for number in numbers]


async def _encapsulated(store: Blobs, source: Frames, number: int) -> bytes:
    assert source.table is not None
    start, length = pixels.place(source.table, number - source.first)
    return pixels.without_item_headers(await store.get_range(source.blob, start, length))


async def _native(store: Blobs, source: Frames, number: int) -> bytes:
    bits = source.frame_bits or 0
    first_bit, end_bit = number * bits, (number + 1) * bits
    start, end = first_bit // 8, (end_bit + 7) // 8
    if source.transfer_syntax == part10.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        file = await asyncio.to_thread(part10.read, await store.get(source.blob))
        data = bytes(file.data[source.start + start : source.start + end])
    else:
        data = await store.get_range(source.blob, source.start + start, end - start)
    if source.transfer_syntax == part10.EXPLICIT_VR_BIG_ENDIAN:
        data = little_endian(data, "OW")
    return data if first_bit % 8 == 0 else _shifted(data, first_bit % 8, bits)


def _shifted(data: bytes, skip: int, bits: int) -> bytes:
    """Single-bit frames follow each other without padding (PS3.5 §8.1.1)."""
    value = int.from_bytes(data, "little") >> skip & ((1 << bits) - 1)
    return value.to_bytes((bits + 7) // 8, "little")
