"""A decoded frame as a code stream of one of the compressed transfer syntaxes (PS3.5 §8.2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from serai.imaging.rendering.description import Description, Frame
from serai.imaging.rendering.syntaxes import JPEG_BASELINE, WRITTEN, Codec
from serai.kernel.errors import Unsupported

# Lossy only where the syntax is: a quality at which differences are hard to see, and for
# near-lossless JPEG-LS the largest error of a pixel.
LOSSY_QUALITY = 92
NEAR = 2


def encode(frame: Frame, described: Description, transfer_syntax: str) -> tuple[bytes, str]:
    """The code stream, and the photometric interpretation it has."""
    written = WRITTEN.get(transfer_syntax)
    if written is None or described.bits_allocated not in (8, 16) or frame.dtype.kind not in "iu":
        raise Unsupported("wado.transfer-syntax", asked=transfer_syntax)
    if written.codec is Codec.JPEG_LOSSY:
        return _jpeg_lossy(frame, described, transfer_syntax)
    if written.codec is Codec.JPEG_LS:
        return _jpeg_ls(frame, NEAR if written.lossy else 0, described), described.photometric
    return _LOSSLESS[written.codec](np.ascontiguousarray(frame), described), described.photometric


def _rle(frame: Frame, described: Description) -> bytes:
    """Byte planes, most significant first, each row packed by itself (PS3.5 §G)."""
    from pydicom.pixels.encoders import RLELosslessEncoder

    options = described.options() | {"planar_configuration": 0}
    return bytes(RLELosslessEncoder.encode(frame, **options))


def _jpeg_lossless(frame: Frame, described: Description) -> bytes:
    import imagecodecs

    # Named RGB or not at all: what has another name, decoders would turn into RGB.
    space = "RGB" if described.photometric == "RGB" else "UNKNOWN"
    stream = imagecodecs.jpeg8_encode(
        # The stream knows no signs: the bits of a negative value travel as they are.
        _unsigned(frame),
        lossless=True,
        predictor=1,
        bitspersample=described.bits_allocated,
        colorspace=space if described.colour else None,
        outcolorspace=space if described.colour else None,
    )
    return bytes(stream)


def _jpeg_ls(frame: Frame, near: int, described: Description) -> bytes:
    import imagecodecs

    if near and described.signed:
        raise Unsupported("wado.transfer-syntax", reason="signed")
    return bytes(imagecodecs.jpegls_encode(np.ascontiguousarray(_unsigned(frame)), near))


def _jpeg_2000(frame: Frame, _: Description) -> bytes:
    import imagecodecs

    # Without the colour transform, so that the pixels stay what the header says they are.
    return bytes(imagecodecs.jpeg2k_encode(frame, 0, codecformat="J2K", reversible=True, mct=False))


def _htj2k(frame: Frame, described: Description) -> bytes:
    import imagecodecs

    if described.colour:
        planes = np.ascontiguousarray(np.moveaxis(frame, -1, 0))
        return bytes(imagecodecs.htj2k_encode(planes, reversible=True, rgb=False, planar=True))
    return bytes(imagecodecs.htj2k_encode(frame, reversible=True))


def _jpeg_lossy(frame: Frame, described: Description, syntax: str) -> tuple[bytes, str]:
    """Baseline is for 8 bits, extended for up to 12 (PS3.5 §8.2.1)."""
    import imagecodecs

    limit = 8 if syntax == JPEG_BASELINE else 12
    if described.bits_stored > limit or described.signed or "PALETTE" in described.photometric:
        raise Unsupported("wado.transfer-syntax", asked=syntax, bits=described.bits_stored)
    pixels = np.ascontiguousarray(frame)
    if described.colour:
        space = "RGB" if described.photometric == "RGB" else "YCbCr"
        stream = imagecodecs.jpeg8_encode(
            pixels, LOSSY_QUALITY, colorspace=space, outcolorspace="YCbCr", subsampling="422"
        )
        return bytes(stream), "YBR_FULL_422"
    depth = 8 if pixels.dtype.itemsize == 1 else 12
    stream = imagecodecs.jpeg8_encode(pixels, LOSSY_QUALITY, bitspersample=depth)
    return bytes(stream), described.photometric


def _unsigned(frame: Frame) -> Frame:
    return frame.view(frame.dtype.str.replace("i", "u")) if frame.dtype.kind == "i" else frame


_LOSSLESS: dict[Codec, Callable[[Frame, Description], bytes]] = {
    Codec.RLE: _rle,
    Codec.JPEG_LOSSLESS: _jpeg_lossless,
    Codec.JPEG_2000: _jpeg_2000,
    Codec.HTJ2K: _htj2k,
}
