"""A frame as a picture for people: modality and VOI transformations applied (PS3.4 §N)."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

from serai.imaging.rendering.native import UNDECODABLE
from serai.imaging.rendering.wish import FORMATS, Wish
from serai.kernel.errors import Unsupported


def render(content: bytes, wish: Wish) -> bytes:
    """One frame of a Part 10 object as an image file."""
    data_set = dcmread(BytesIO(content))
    if "PixelData" not in data_set:
        raise Unsupported("rendering.no-pixels")
    try:
        picture = Image.fromarray(_shown(data_set, wish))
    except UNDECODABLE as error:
        raise Unsupported("rendering.undecodable") from error
    if wish.size:
        picture.thumbnail(wish.size)
    written = BytesIO()
    options: dict[str, Any] = {"quality": wish.quality} if wish.media_type != "image/png" else {}
    picture.save(written, FORMATS[wish.media_type], **options)
    return written.getvalue()


def _shown(data_set: Any, wish: Wish) -> NDArray[np.uint8]:
    pixels = pixel_array(data_set, index=wish.frame)
    kind = data_set.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        return _to_eight_bits(apply_color_lut(pixels, data_set), data_set)
    if pixels.ndim == 3:
        return _to_eight_bits(pixels, data_set)
    values = apply_modality_lut(pixels, data_set).astype(np.float32)
    if wish.window is None and ("VOILUTSequence" in data_set or "WindowCenter" in data_set):
        # Needs the integers a lookup table is indexed by.
        values = apply_voi_lut(apply_modality_lut(pixels, data_set), data_set).astype(np.float32)
        low, high = float(values.min()), float(values.max())
    elif wish.window:
        centre, width = wish.window
        low, high = centre - width / 2, centre + width / 2
    else:
        low, high = float(values.min()), float(values.max())
    grey: NDArray[np.uint8] = np.clip(
        (values - low) * (255.0 / max(high - low, 1e-6)), 0, 255
    ).astype(np.uint8)
    return 255 - grey if kind == "MONOCHROME1" else grey


def _to_eight_bits(colours: NDArray[Any], data_set: Any) -> NDArray[np.uint8]:
    if colours.dtype == np.uint8:
        return colours.astype(np.uint8, copy=False)
    bits = max(int(colours.dtype.itemsize) * 8, int(data_set.BitsAllocated))
    return (colours.astype(np.uint32) >> (bits - 8)).astype(np.uint8)
