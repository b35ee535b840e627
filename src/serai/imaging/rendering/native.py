"""Compressed pixel data turned into uncompressed, for clients that ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from serai.imaging.dataset import part10
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


def as_explicit_little_endian(content: bytes) -> bytes:
    """The same object in the syntax every DICOM client must read (PS3.5 §10.1)."""
    from pydicom import dcmread
    from pydicom.uid import ExplicitVRLittleEndian

    data_set = dcmread(BytesIO(content))
    try:
        if data_set.file_meta.TransferSyntaxUID.is_compressed and "PixelData" in data_set:
            data_set.decompress(as_rgb=False, generate_instance_uid=False)
        data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        written = BytesIO()
        data_set.save_as(written, little_endian=True, implicit_vr=False, enforce_file_format=True)
    except UNDECODABLE as error:
        raise Unsupported("wado.undecodable") from error
    return written.getvalue()


def decoded_frames(content: bytes, numbers: Sequence[int]) -> list[bytes]:
    """Frames counted from 0 as little endian pixels, colours as the object says."""
    from pydicom import dcmread

    data_set = dcmread(BytesIO(content))
    try:
        return [_decoded(data_set, number) for number in numbers]
    except UNDECODABLE as error:
        raise Unsupported("wado.undecodable") from error


def _decoded(data_set: object, number: int) -> bytes:
    from pydicom.pixels import pixel_array

    frame = pixel_array(data_set, index=number, raw=True)
    return bytes(frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes())
