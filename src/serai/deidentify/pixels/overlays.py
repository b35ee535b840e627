"""Overlay planes (PS3.3 §C.9.2): bitmaps in group 60xx, or in bits of the pixels not used."""

from __future__ import annotations

from typing import Any

import numpy as np

from serai.deidentify.pixels.cleaning import Pixels, decoded, put_back
from serai.deidentify.pixels.reading import Reader
from serai.kernel.errors import Invalid

GROUPS = range(0x6000, 0x6100, 2)
DATA, ROWS, COLUMNS, BIT_POSITION = 0x3000, 0x0010, 0x0011, 0x0102


def hides_in_pixels(data_set: Any) -> bool:
    """Whether an overlay lies in the bits above the stored ones, as was usual before 2004."""
    return any(
        int(data_set[group << 16 | BIT_POSITION].value or 0) > 0
        for group in GROUPS
        if (group << 16 | BIT_POSITION) in data_set
    )


def clear_unused_bits(data_set: Any) -> None:
    """Pixels without what lies above their stored bits; their sign is extended again."""
    pixels = decoded(data_set)
    unused = pixels.described.bits_allocated - pixels.described.bits_stored
    put_back(data_set, Pixels(pixels.described, [_cleared(one, unused) for one in pixels.frames]))


def _cleared(frame: Any, unused: int) -> Any:
    return np.right_shift(np.left_shift(frame, unused), unused)


def clean_overlays(data_set: Any, reader: Reader) -> int:
    """Writing in overlay bitmaps is wiped out (Clean Graphics, §E.3.3); how many lines it was."""
    return sum(_clean(data_set, group << 16, reader) for group in GROUPS)


def _clean(data_set: Any, group: int, reader: Reader) -> int:
    if group | DATA not in data_set:
        return 0
    try:
        rows, columns = (int(data_set[group | one].value) for one in (ROWS, COLUMNS))
        raw = np.frombuffer(data_set[group | DATA].value, np.uint8)
        bits = np.unpackbits(raw, bitorder="little")
        frames = len(bits) // (rows * columns)
        planes = bits[: frames * rows * columns].reshape(frames, rows, columns).copy()
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise Invalid("deidentify.overlay-not-readable") from error
    found = 0
    for plane in planes:
        for line in reader.read(np.repeat(plane[..., None] * np.uint8(255), 3, axis=-1)):
            box = line.box.within(columns, rows)
            plane[box.top : box.bottom, box.left : box.right] = 0
            found += 1
    packed = np.packbits(planes.reshape(-1), bitorder="little").tobytes()
    data_set[group | DATA].value = packed + bytes(len(packed) % 2)
    return found


def drop_empty_planes(data_set: Any) -> None:
    """What describes an overlay that is not there any more."""
    for group in GROUPS:
        if (group << 16 | DATA) not in data_set:
            for tag in [tag for tag in data_set.keys() if tag.group == group]:  # noqa: SIM118
                del data_set[tag]
