"""Frames as numbers: native ones read in place, compressed ones decoded."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np

from serai.imaging.dataset import part10
from serai.imaging.rendering.description import Description, Frame
from serai.kernel.errors import Unsupported

# What a decoder raises on a broken or unusual stream; which one depends on the decoder.
UNDECODABLE = (ValueError, RuntimeError, AttributeError, NotImplementedError, IndexError, KeyError)


def can_decode(transfer_syntax: str) -> bool:
    """Whether this server has a decoder; video it passes on as it is."""
    from pydicom.pixels import get_decoder

    if transfer_syntax in part10.NATIVE:
        return True
    try:
        return bool(get_decoder(transfer_syntax).is_available)
    except NotImplementedError:
        return False


def decode(stored: bytes, described: Description, transfer_syntax: str) -> tuple[Frame, str]:
    """One frame as it lies in the object (native ones little endian), and the photometric
    interpretation its numbers have."""
    try:
        if transfer_syntax in part10.NATIVE:
            return _native(stored, described)
        return _decompressed(stored, described, transfer_syntax)
    except UNDECODABLE as error:
        raise Unsupported("wado.undecodable") from error


def decoded_frames(content: bytes) -> Iterator[tuple[Frame, str]]:
    """Every frame of a Part 10 object, one after the other."""
    from pydicom import dcmread

    data_set = dcmread(BytesIO(content))
    try:
        yield from decoded_frames_of(data_set)
    except UNDECODABLE as error:
        raise Unsupported("wado.undecodable") from error


def decoded_frames_of(data_set: Any) -> Iterator[tuple[Frame, str]]:
    from pydicom.pixels import get_decoder

    decoder = get_decoder(data_set.file_meta.TransferSyntaxUID)
    for frame, meta in decoder.iter_array(data_set, raw=True):
        yield _little_endian(frame), _photometric(frame, meta)


def as_bytes(frame: Frame) -> bytes:
    """Little endian, samples side by side."""
    return _little_endian(frame).tobytes()


def _little_endian(frame: Frame) -> Frame:
    return frame.astype(frame.dtype.newbyteorder("<"), copy=False)


def _native(stored: bytes, described: Description) -> tuple[Frame, str]:
    height, width, samples = described.rows, described.columns, described.samples
    if described.photometric == "YBR_FULL_422":
        return _upsampled(stored, height, width), "YBR_FULL"
    if described.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(stored, np.uint8), bitorder="little")
        return bits[: height * width].reshape(height, width), described.photometric
    pixels = np.frombuffer(stored, described.dtype, height * width * samples)
    if samples == 1:
        return pixels.reshape(height, width), described.photometric
    if described.planar:
        planes = pixels.reshape(samples, height, width)
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1)), described.photometric
    return pixels.reshape(height, width, samples), described.photometric


def _upsampled(stored: bytes, height: int, width: int) -> Frame:
    """Two pixels share their colours: Y Y Cb Cr (PS3.3 §C.7.6.3.1.2)."""
    pairs = np.frombuffer(stored, np.uint8, height * width * 2).reshape(height, width // 2, 4)
    full = np.empty((height, width // 2, 2, 3), np.uint8)
    full[..., 0] = pairs[..., :2]
    full[..., 1:] = pairs[..., None, 2:]
    return full.reshape(height, width, 3)


def _decompressed(stored: bytes, described: Description, syntax: str) -> tuple[Frame, str]:
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    options = described.options() | {"transfer_syntax_uid": UID(syntax), "pixel_vr": "OB"}
    frame, meta = get_decoder(syntax).as_array(
        encapsulate([stored], has_bot=False), raw=True, index=0, **options
    )
    return frame, _photometric(frame, meta)


def _photometric(frame: Frame, meta: dict[str, Any]) -> str:
    """Decoders give every pixel its own colours, whatever shared them before."""
    name = str(meta["photometric_interpretation"])
    return "YBR_FULL" if name == "YBR_FULL_422" and frame.ndim == 3 else name
