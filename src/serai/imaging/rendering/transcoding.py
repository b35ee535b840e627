"""Whole objects in another transfer syntax, on request; what is stored stays as it came."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from serai.imaging.dataset import part10
from serai.imaging.dataset.elements import PIXEL_DATA
from serai.imaging.dataset.tolerance import pass_values_on
from serai.imaging.dataset.words import little_endian
from serai.imaging.rendering.description import Description, Frame, of_data_set
from serai.imaging.rendering.encoding import encode
from serai.imaging.rendering.native import UNDECODABLE, as_bytes, decode, decoded_frames_of
from serai.imaging.rendering.syntaxes import WRITTEN, WRITTEN_NATIVE, Written
from serai.kernel.errors import Unsupported

OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


def transcoded(content: bytes, transfer_syntax: str) -> bytes:
    """The same object; a lossy syntax makes it another one, with a UID of its own."""
    data_set = _read(content)
    try:
        if transfer_syntax in WRITTEN_NATIVE:
            return _as_native(data_set, transfer_syntax)
        if transfer_syntax in WRITTEN and "PixelData" in data_set:
            return _compressed(data_set, transfer_syntax)
    except UNDECODABLE as error:
        raise Unsupported("wado.undecodable") from error
    raise Unsupported("wado.transfer-syntax", asked=transfer_syntax)


def _read(content: bytes) -> Any:
    from pydicom import dcmread

    pass_values_on()
    return dcmread(BytesIO(content))


def _as_native(data_set: Any, syntax: str) -> bytes:
    stored = data_set.file_meta.TransferSyntaxUID
    big_endian = stored == part10.EXPLICIT_VR_BIG_ENDIAN
    if "PixelData" in data_set and (stored.is_encapsulated or big_endian):
        _decompress(data_set)
    if big_endian:
        _turn_words_round(data_set)
    return _saved(data_set, syntax)


def _decompress(data_set: Any) -> None:
    described = of_data_set(data_set)
    if described.bits_allocated < 8:
        raise Unsupported("wado.undecodable", bits=described.bits_allocated)
    photometric, frames = described.photometric, []
    for frame, photometric in decoded_frames_of(data_set):  # noqa: B007 - the last one's counts
        frames.append(as_bytes(frame))
    pixels = b"".join(frames)
    _forget_offsets(data_set)
    data_set.PixelData = pixels + bytes(len(pixels) % 2)
    data_set["PixelData"].VR = "OB" if described.bits_allocated == 8 else "OW"
    data_set["PixelData"].is_undefined_length = False
    data_set.PhotometricInterpretation = photometric
    if described.colour:
        data_set.PlanarConfiguration = 0


def _turn_words_round(data_set: Any) -> None:
    """pydicom turns numbers round as it writes what it has read, but leaves words as they are."""
    for element in data_set.iterall():
        if element.tag != PIXEL_DATA and isinstance(element.value, bytes):
            element.value = little_endian(element.value, element.VR)


def _compressed(data_set: Any, syntax: str) -> bytes:
    from pydicom.encaps import encapsulate

    big_endian = data_set.file_meta.TransferSyntaxUID == part10.EXPLICIT_VR_BIG_ENDIAN
    written, described = WRITTEN[syntax], of_data_set(data_set)
    before = described.rows * described.columns * described.samples * described.bits_allocated // 8
    streams, shown = [], described.photometric
    for frame, photometric in decoded_frames_of(data_set):
        stream, shown = encode(frame, described.decoded_as(photometric), syntax)
        streams.append(stream)
    _forget_offsets(data_set)
    data_set.PixelData = encapsulate(streams, has_bot=sum(map(len, streams)) < 1 << 31)
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    data_set.PhotometricInterpretation = shown
    if big_endian:
        _turn_words_round(data_set)
    if described.colour:
        data_set.PlanarConfiguration = 0
    if written.lossy:
        _say_it_is_lossy(data_set, written, before * len(streams) / sum(map(len, streams)), syntax)
    return _saved(data_set, syntax)


def _forget_offsets(data_set: Any) -> None:
    for keyword in OFFSETS:
        if keyword in data_set:
            del data_set[keyword]


def _say_it_is_lossy(data_set: Any, written: Written, ratio: float, syntax: str) -> None:
    """PS3.3 §C.7.6.1.1.5; a derived image has a UID of its own (PS3.3 §C.7.6.1.1.2)."""
    from pydicom.dataset import Dataset

    source = Dataset()
    source.ReferencedSOPClassUID = data_set.SOPClassUID
    source.ReferencedSOPInstanceUID = data_set.SOPInstanceUID
    data_set.SourceImageSequence = [source]
    # The same request gives the same object again.
    name = f"{data_set.SOPInstanceUID} {syntax}"
    data_set.SOPInstanceUID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    data_set.ImageType = ["DERIVED", *list(data_set.get("ImageType") or ["", "PRIMARY"])[1:]]
    data_set.LossyImageCompression = "01"
    data_set.LossyImageCompressionRatio = f"{ratio:.2f}"
    data_set.LossyImageCompressionMethod = written.method


def _saved(data_set: Any, syntax: str) -> bytes:
    from pydicom import dcmwrite
    from pydicom.uid import UID

    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    written = BytesIO()
    implicit = syntax == part10.IMPLICIT_VR_LITTLE_ENDIAN
    dcmwrite(written, data_set, little_endian=True, implicit_vr=implicit, enforce_file_format=True)
    return written.getvalue()


def transcoded_frame(
    stored: bytes, described: Description, stored_syntax: str, wanted_syntax: str
) -> bytes:
    """One frame as it lies in the object, in another syntax."""
    frame, photometric = decode(stored, described, stored_syntax)
    return _given(frame, described.decoded_as(photometric), wanted_syntax)


def all_frames(content: bytes, wanted_syntax: str) -> Iterator[bytes]:
    """Every frame of a Part 10 object in another syntax."""
    data_set = _read(content)
    described = of_data_set(data_set)
    try:
        for frame, photometric in decoded_frames_of(data_set):
            yield _given(frame, described.decoded_as(photometric), wanted_syntax)
    except UNDECODABLE as error:
        raise Unsupported("wado.undecodable") from error


def _given(frame: Frame, described: Description, syntax: str) -> bytes:
    return encode(frame, described, syntax)[0] if syntax in WRITTEN else as_bytes(frame)
