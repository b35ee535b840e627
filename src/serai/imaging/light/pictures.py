"""Pictures of a series for a thin line: small JPEGs, many in one answer, or exact values."""

from __future__ import annotations

import asyncio
import gzip
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from serai.imaging.dicomweb.found import Frames
from serai.imaging.dicomweb.stored import stored_frame
from serai.imaging.light.series import Slide
from serai.imaging.rendering import grey
from serai.imaging.rendering.description import Frame
from serai.imaging.rendering.native import decode
from serai.imaging.rendering.wish import Wish
from serai.imaging.search.rows import visible
from serai.kernel.actor import Actor
from serai.kernel.errors import Malformed, NotFound, Unsupported
from serai.platform.blobs import Blobs
from serai.platform.db import Database

if TYPE_CHECKING:
    from serai.imaging.rendering import drawing

# Of a frame table only the place of one frame, and only for instances that have one.
FRAMES = """SELECT i.uid, w.frame, i.metadata, i.blob, i.size, i.transfer_syntax, i.frames,
                   i.pixels_start, i.pixels_length, i.frame_bits,
                   substring(i.frame_table FROM w.frame * 16 + 1 FOR 16)
            FROM unnest(%(instances)s::text[], %(numbers)s::integer[]) AS w(uid, frame)
            JOIN imaging_instance i ON i.uid = w.uid
            JOIN imaging_study s ON s.uid = i.study_uid
            WHERE s.uid = %(study)s AND {visible}"""
HEAD = struct.Struct("<II")
# What a phone can hold and a line bear; such pictures are drawn here, not there.
MOST_VALUES = 4096 * 4096


async def found(
    db: Database, study: str, slides: Sequence[Slide], *, actor: Actor
) -> dict[Slide, tuple[bytes, Frames]]:
    """The header of each slide, and where its frame lies."""
    seen, values = visible(actor)
    wanted = {
        "study": study,
        "instances": [each.instance for each in slides],
        "numbers": [each.frame for each in slides],
        **values,
    }
    async with db.connection() as connection, connection.cursor(binary=True) as cursor:
        await cursor.execute(FRAMES.format(visible=seen).encode(), wanted)
        rows = await cursor.fetchall()
    return {
        Slide(uid, frame): (metadata, Frames(frame, *place))
        for uid, frame, metadata, *place in rows
    }


async def parts(
    store: Blobs, places: Iterable[tuple[int, tuple[bytes, Frames]]], wish: Wish
) -> AsyncIterator[bytes]:
    """Number and length (little endian), then the JPEG; without length where none can be drawn."""
    for number, (metadata, source) in places:
        try:
            picture = await drawn(store, metadata, source, wish)
        except (Malformed, NotFound, Unsupported):
            picture = b""
        yield part(number, picture)


def part(number: int, picture: bytes) -> bytes:
    return HEAD.pack(number, len(picture)) + picture


async def drawn(store: Blobs, metadata: bytes, source: Frames, wish: Wish) -> bytes:
    from serai.imaging.rendering import drawing

    wish = _of_frame(wish, source.first)
    header = await asyncio.to_thread(drawing.read, metadata, source.transfer_syntax, wish)
    if header.whole or (source.table is None and source.frame_bits is None):
        content = await store.get(source.blob)
        return await asyncio.to_thread(drawing.of_object, content, header, wish)
    stored = await stored_frame(store, source, wish.frame)
    return await asyncio.to_thread(drawing.of_frame, stored, header, wish)


async def values(store: Blobs, metadata: bytes, source: Frames) -> bytes:
    """Every value of a grey frame as stored, packed for the wire and compressed with gzip."""
    from serai.imaging.rendering import drawing

    if source.table is None and source.frame_bits is None:
        raise Unsupported("light.no-values")
    wish = Wish(frame=source.first)
    header = await asyncio.to_thread(drawing.read, metadata, source.transfer_syntax, wish)
    described = header.described
    if header.whole or described.colour or described.rows * described.columns > MOST_VALUES:
        raise Unsupported("light.no-values")
    stored = await stored_frame(store, source, source.first)
    return await asyncio.to_thread(_packed, stored, header, source.first)


def _of_frame(wish: Wish, frame: int) -> Wish:
    return Wish(wish.media_type, frame, wish.window, wish.size, wish.region, wish.quality)


def _packed(stored: bytes, header: drawing.Header, number: int) -> bytes:
    frame, photometric = decode(stored, header.described, header.transfer_syntax)
    if frame.ndim != 2 or frame.dtype.kind not in "iu" or frame.dtype.itemsize > 2:
        raise Unsupported("light.no-values")
    window = grey.window_of(header.attributes, number)
    scale = grey.scale_of(header.attributes, number)
    low, high = (float(each) * scale.slope + scale.intercept for each in (frame.min(), frame.max()))
    facts: dict[str, Any] = {
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "signed": frame.dtype.kind == "i",
        "slope": scale.slope,
        "intercept": scale.intercept,
        "inverted": photometric == "MONOCHROME1",
        "window": [window.centre, window.width] if window else None,
        "range": [min(low, high), max(low, high)],
    }
    described = orjson.dumps(facts)
    body = struct.pack("<I", len(described)) + described + planes(frame)
    return gzip.compress(body, 6, mtime=0)


def planes(frame: Frame) -> bytes:
    """The difference of each pixel from its left neighbour, signs folded to the lowest bit, low
    bytes before high bytes: so gzip comes within a tenth of JPEG-LS, and a browser can undo it."""
    stretched: NDArray[np.uint16] = frame.astype(np.int32).astype(np.uint16)
    left = stretched.copy()
    left[:, 1:] -= stretched[:, :-1]
    left[1:, 0] -= stretched[:-1, 0]
    signed = left.view(np.int16)
    folded = ((signed << 1) ^ (signed >> 15)).view(np.uint16)
    low, high = (folded & 0xFF).astype(np.uint8), (folded >> 8).astype(np.uint8)
    return low.tobytes() + high.tobytes()


def require_all(
    slides: Sequence[Slide], places: dict[Slide, tuple[bytes, Frames]]
) -> list[tuple[bytes, Frames]]:
    """In the order asked for; NotFound when one was deleted meanwhile."""
    if any(each not in places for each in slides):
        raise NotFound("wado.nothing-there")
    return [places[each] for each in slides]
