"""Pictures whose pixels are places in a lookup table: palettes, modality and VOI LUTs."""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

from serai.imaging.dataset.model_json import Attributes
from serai.imaging.rendering.grey import spread
from serai.imaging.rendering.native import UNDECODABLE, decoded_frames
from serai.imaging.rendering.wish import Window, Wish
from serai.kernel.errors import Unsupported

MODALITY_LUT, VOI_LUT = "00283000", "00283010"


def needs_table(attributes: Attributes, photometric: str, wish: Wish) -> bool:
    """Whether the header's numbers alone do not say how the pixels look."""
    voi = VOI_LUT in attributes and wish.window is None
    return photometric == "PALETTE COLOR" or MODALITY_LUT in attributes or voi


def looked_up(content: bytes, wish: Wish) -> NDArray[np.uint8]:
    """One frame of a Part 10 object, with its tables applied (PS3.4 §N.2)."""
    data_set = dcmread(BytesIO(content))
    try:
        pixels = pixel_array(data_set, index=wish.frame)
        if data_set.PhotometricInterpretation == "PALETTE COLOR":
            return eight_bits(apply_color_lut(pixels, data_set))
        values = apply_modality_lut(pixels, data_set)
        if wish.window is None:
            values = apply_voi_lut(values, data_set)
    except UNDECODABLE as error:
        raise Unsupported("rendering.undecodable") from error
    window = wish.window or Window.around(float(values.min()), float(values.max()))
    return spread(values, window, inverted=data_set.PhotometricInterpretation == "MONOCHROME1")


def eight_bits(colours: NDArray[Any]) -> NDArray[np.uint8]:
    if colours.dtype.itemsize == 1:
        return colours.astype(np.uint8, copy=False)
    return (colours.astype(np.uint32) >> (8 * colours.dtype.itemsize - 8)).astype(np.uint8)


def frame_of(content: bytes, number: int) -> tuple[NDArray[Any], str]:
    """One frame of an object that does not say where its frames lie."""
    try:
        return next(islice(decoded_frames(content), number, None))
    except (StopIteration, *UNDECODABLE) as error:
        raise Unsupported("rendering.undecodable") from error
