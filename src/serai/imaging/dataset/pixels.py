"""Where each frame of an object's pixel data lies, so that a frame is one ranged read."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serai.imaging.dataset.elements import PIXEL_DATA, Buffer, Element, Fragment
from serai.imaging.dataset.model_json import Attribute, first_text

FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00009
EXTENDED_OFFSET_TABLE = 0x7FE00001
PLACE = struct.Struct("<QQ")
ITEM_HEADER = 8


@dataclass(frozen=True, slots=True)
class Pixels:
    """Native: frames of `frame_bits` from `start` on. Encapsulated: `table` holds per frame
    the first item's place and the length of all the frame's items, 16 bytes each."""

    frames: int
    start: int
    length: int
    frame_bits: int | None = None
    table: bytes | None = None


def locate(
    buffer: Buffer, elements: Sequence[Element], attributes: Mapping[str, Attribute]
) -> Pixels | None:
    """The places of frames; None for objects without pixel data."""
    pixel_tags = (PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA)
    element = next((each for each in elements if each.tag in pixel_tags), None)
    if element is None or element.length == 0:
        return None
    frames = max(_integer(attributes, "00280008"), 1)
    if element.fragments is None:
        bits = _frame_bits(attributes)
        fits = bits > 0 and bits * frames <= element.length * 8
        return Pixels(frames, element.start, element.length, frame_bits=bits if fits else None)
    extended = next((each for each in elements if each.tag == EXTENDED_OFFSET_TABLE), None)
    table = _table(buffer, element.fragments, frames, extended)
    return Pixels(frames, element.start, element.length, table=table)


def place(table: bytes, frame: int = 0) -> tuple[int, int]:
    """Start and length of one frame's items from a table or a slice of one."""
    start, length = PLACE.unpack_from(table, frame * PLACE.size)
    return start, length


def without_item_headers(items: bytes) -> bytes:
    """The frame's bit stream: its fragments joined (PS3.5 §A.4)."""
    at, parts = 0, []
    while at < len(items):
        (length,) = struct.unpack_from("<L", items, at + 4)
        parts.append(items[at + ITEM_HEADER : at + ITEM_HEADER + length])
        at += ITEM_HEADER + length
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _table(
    buffer: Buffer, fragments: Sequence[Fragment], frames: int, extended: Element | None
) -> bytes | None:
    """The first fragment is the Basic Offset Table, possibly empty (PS3.5 §A.4)."""
    offset_table, *data = fragments
    if not data:
        return None
    offsets: tuple[int, ...] = ()
    if extended is not None and extended.length >= 8 * frames:
        offsets = struct.unpack_from(f"<{frames}Q", buffer, extended.start)
    elif offset_table.length >= 4 * frames:
        offsets = struct.unpack_from(f"<{frames}L", buffer, offset_table.start)
    groups = _grouped(buffer, data, frames, offsets)
    if groups is None:
        return None
    return b"".join(
        PLACE.pack(
            group[0].start - ITEM_HEADER,
            group[-1].start + group[-1].length - group[0].start + ITEM_HEADER,
        )
        for group in groups
    )


def _grouped(
    buffer: Buffer, data: Sequence[Fragment], frames: int, offsets: Sequence[int]
) -> list[Sequence[Fragment]] | None:
    """Fragments by frame: one each, by offset table, or by the codec's end marker."""
    if frames == 1:
        return [data]
    if len(data) == frames:
        return [[fragment] for fragment in data]
    first = data[0].start
    starts = {fragment.start - first: index for index, fragment in enumerate(data)}
    if offsets and all(offset in starts for offset in offsets):
        cuts = [starts[offset] for offset in offsets]
    else:
        cuts = _cuts_by_marker(buffer, data)
    if len(cuts) != frames or cuts != sorted(set(cuts)):
        return None
    return [data[cut:end] for cut, end in zip(cuts, [*cuts[1:], len(data)], strict=True)]


def _cuts_by_marker(buffer: Buffer, data: Sequence[Fragment]) -> list[int]:
    """JPEG streams end in FFD9, JPEG 2000 ones too; the next fragment opens a frame."""
    cuts = [0]
    for index, fragment in enumerate(data[:-1], start=1):
        end = fragment.start + fragment.length
        if b"\xff\xd9" in buffer[max(end - 3, fragment.start) : end]:
            cuts.append(index)
    return cuts


def _frame_bits(attributes: Mapping[str, Attribute]) -> int:
    samples = max(_integer(attributes, "00280002"), 1)
    bits = _integer(attributes, "00280100")
    pixels = _integer(attributes, "00280010") * _integer(attributes, "00280011")
    if first_text(attributes, "00280004") == "YBR_FULL_422":
        return pixels * bits * 2
    return pixels * samples * bits


def _integer(attributes: Mapping[str, Attribute], tag: str) -> int:
    text = first_text(attributes, tag)
    return int(text) if text.isdigit() else 0
