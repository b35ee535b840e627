"""Values and frames as they lie in a stored object: ranged reads, no parsing."""

from __future__ import annotations

import asyncio

from serai.imaging.dataset import part10, pixels
from serai.imaging.dataset.elements import public_vr
from serai.imaging.dataset.words import little_endian
from serai.imaging.dicomweb.found import Frames
from serai.kernel.errors import Malformed, NotFound
from serai.platform.blobs import Blobs


async def stored_frame(store: Blobs, source: Frames, number: int) -> bytes:
    """One frame counted from 0: its code stream, or its pixels in little endian."""
    if source.table is not None:
        start, length = pixels.place(source.table, number - source.first)
        return pixels.without_item_headers(await store.get_range(source.blob, start, length))
    if source.frame_bits is None:
        raise NotFound("wado.no-frame-places")
    return await _native(store, source, number, source.frame_bits)


async def _native(store: Blobs, source: Frames, number: int, bits: int) -> bytes:
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


def vr_at(path: str) -> str:
    last = path.rpartition("/")[2]
    try:
        return public_vr(int(last, 16))
    except ValueError as error:
        raise Malformed("wado.bulk-data-path") from error
