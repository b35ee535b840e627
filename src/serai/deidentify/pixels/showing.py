"""Frames as an RGB picture of eight bits, as a person would see the writing in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from serai.deidentify.pixels.reading import Picture
from serai.imaging.rendering.description import Description, Frame

# Writing at the end of a wide range, and writing in the middle of a narrow one.
OUTLIERS = (0.5, 99.5)


def pictures(frame: Frame, described: Description, data_set: Any) -> Iterator[Picture]:
    """One picture of eight-bit frames; of deeper ones also one with the outliers cut off."""
    if described.colour:
        yield _colour(frame, described)
    elif described.photometric == "PALETTE COLOR":
        yield _palette(frame, data_set)
    else:
        yield _grey(frame, float(frame.min()), float(frame.max()))
        if described.bits_stored > 8:
            low, high = np.percentile(frame, OUTLIERS)
            yield _grey(frame, float(low), float(high))


def _grey(frame: Frame, low: float, high: float) -> Picture:
    scaled = (frame.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    return np.repeat(np.clip(scaled, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def _colour(frame: Frame, described: Description) -> Picture:
    from pydicom.pixels import convert_color_space

    if described.photometric.startswith("YBR_FULL"):
        frame = convert_color_space(frame, "YBR_FULL", "RGB")
    return frame.astype(np.uint8) if frame.dtype.itemsize == 1 else (frame >> 8).astype(np.uint8)


def _palette(frame: Frame, data_set: Any) -> Picture:
    from pydicom.pixels import apply_color_lut

    shown = apply_color_lut(frame, data_set)
    eight: Picture = (shown >> 8 if shown.dtype.itemsize > 1 else shown).astype(np.uint8)
    return eight[..., :3]
