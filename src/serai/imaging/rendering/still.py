"""A frame as a picture for people: modality and VOI transformations applied (PS3.4 §N)."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from serai.imaging.dataset.model_json import Attributes
from serai.imaging.rendering import grey
from serai.imaging.rendering.description import Frame
from serai.imaging.rendering.lookup import eight_bits
from serai.imaging.rendering.wish import FORMATS, Wish

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Each line as its difference from the one above: a third of the time and size of none.
UP = 2


def drawn(frame: Frame, photometric: str, attributes: Attributes, wish: Wish) -> NDArray[Any]:
    """Eight-bit grey or RGB."""
    if frame.ndim == 3:
        return rgb(eight_bits(frame), photometric)
    window = wish.window or grey.window_of(attributes, wish.frame)
    scale = grey.scale_of(attributes, wish.frame)
    return grey.shown(frame, scale, window, inverted=photometric == "MONOCHROME1")


def as_file(pixels: NDArray[Any], wish: Wish) -> bytes:
    """The picture, cropped and sized as wished, as an image file."""
    if wish.region:
        pixels = _cropped(pixels, wish.region)
    if wish.size:
        picture = Image.fromarray(pixels)
        picture.thumbnail(wish.size)
        pixels = np.asarray(picture)
    if wish.media_type == "image/jpeg":
        return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(pixels), wish.quality))
    if wish.media_type == "image/png":
        return _png(pixels)
    written = BytesIO()
    options = {"quality": wish.quality} if wish.media_type == "image/webp" else {}
    Image.fromarray(pixels).save(written, FORMATS[wish.media_type], **options)
    return written.getvalue()


def rgb(colours: NDArray[np.uint8], photometric: str) -> NDArray[Any]:
    """Colours as screens have them."""
    if not photometric.startswith("YBR_FULL"):
        return colours
    return np.asarray(Image.fromarray(colours, "YCbCr").convert("RGB"))


def _cropped(pixels: NDArray[Any], region: tuple[int, int, int, int]) -> NDArray[Any]:
    """`x, y, width, height`; a negative extent turns the picture over (PS3.18 §8.3.5.1.3)."""
    x, y, width, height = region
    cut = pixels[y : y + abs(height), x : x + abs(width)]
    cut = cut if cut.size else pixels
    return cut[:: -1 if height < 0 else 1, :: -1 if width < 0 else 1]


def _png(pixels: NDArray[Any]) -> bytes:
    """Eight-bit grey or RGB, https://www.w3.org/TR/png-3/."""
    height, width = pixels.shape[:2]
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    lines = np.ascontiguousarray(pixels).reshape(height, width * samples)
    filtered = np.empty((height, width * samples + 1), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    shape = struct.pack(">LLBBBBB", width, height, 8, 2 if samples == 3 else 0, 0, 0, 0)
    data = imagecodecs.deflate_encode(filtered.tobytes(), 1)
    chunks = ((b"IHDR", shape), (b"IDAT", bytes(data)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", check)
