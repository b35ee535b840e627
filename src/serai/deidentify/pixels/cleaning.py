"""Clean Pixel Data (PS3.15 §E.3.1): what is written in the frames is painted over.

By rule where the device writes, outside of declared ultrasound regions, and wherever writing is
read in any frame: what one frame shows at a place is gone from all of them. Compressed frames are
decoded and encoded again without loss; then they are read once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np

from serai.deidentify.pixels.reading import Line, Reader
from serai.deidentify.pixels.regions import Box, device_boxes, kept_boxes
from serai.deidentify.pixels.showing import pictures
from serai.deidentify.scrubbing.identity import Identity
from serai.imaging.rendering.description import Description, Frame, of_data_set
from serai.imaging.rendering.encoding import encode
from serai.imaging.rendering.native import UNDECODABLE, as_bytes, can_decode, decoded_frames_of
from serai.imaging.rendering.syntaxes import JPEG, WRITTEN
from serai.kernel.errors import Invalid, TooLarge, Unsupported

MOST_BYTES: Final = 512 << 20
# What cannot be written losslessly as it was becomes JPEG 2000.
LOSSLESS: Final = f"{JPEG}90"
MAY_BE_LOSSY: Final = frozenset({f"{JPEG}91", f"{JPEG}203"})
SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
# Part of a line's height that is painted around it.
MARGIN: Final = 0.3


@dataclass(frozen=True, slots=True)
class Findings:
    """How many places were painted over, and how many of them named the patient."""

    regions: int = 0
    identifying: int = 0


@dataclass(slots=True)
class Pixels:
    """The frames of one object, as numbers."""

    described: Description
    frames: list[Frame]


def decoded(data_set: Any) -> Pixels:
    """Every frame; refused when there is no decoder, or more than memory should hold."""
    syntax = data_set.file_meta.TransferSyntaxUID
    described = _described(data_set)
    size = described.rows * described.columns * described.samples * described.bits_allocated // 8
    if size * _frames(data_set) > MOST_BYTES:
        raise TooLarge("deidentify.too-many-pixels", most=MOST_BYTES >> 20)
    if not can_decode(syntax) or described.bits_allocated < 8:
        raise Unsupported("deidentify.pixels-not-readable")
    frames, photometric = [], described.photometric
    try:
        for frame, photometric in decoded_frames_of(data_set):  # noqa: B007 - the last one's counts
            frames.append(np.array(frame))
    except UNDECODABLE as error:
        raise Unsupported("deidentify.pixels-not-readable") from error
    return Pixels(described.decoded_as(photometric), frames)


def clean(data_set: Any, identity: Identity, reader: Reader, *, everything: bool) -> Findings:
    """In place. `everything` paints over all writing, not only what names the patient."""
    if _has_no_writing(data_set):
        return Findings()
    pixels = decoded(data_set)
    boxes, kept = device_boxes(data_set), kept_boxes(data_set)
    lines = _written(pixels, data_set, reader)
    naming = [line for line in lines if _may_name(line.text, identity)]
    boxes += [_with_margin(line.box) for line in (lines if everything else naming)]
    if boxes or kept:
        for frame in pixels.frames:
            _paint(frame, pixels.described, boxes, kept)
        left = _written(pixels, data_set, reader)
        if any(identity.is_read_in(line.text) for line in left):
            raise Invalid("deidentify.writing-remains")
        put_back(data_set, pixels)
    data_set.BurnedInAnnotation = "NO"
    return Findings(_places(boxes) + bool(kept), _places([line.box for line in naming]))


def _places(boxes: Sequence[Box]) -> int:
    """How many there are; what several frames or renderings show at one place counts once."""
    apart: list[Box] = []
    for box in boxes:
        if not any(box.mostly_in(other) or other.mostly_in(box) for other in apart):
            apart.append(box)
    return len(apart)


def put_back(data_set: Any, pixels: Pixels) -> None:
    """The frames as pixel data, in the syntax they had if it is lossless."""
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    syntax = data_set.file_meta.TransferSyntaxUID
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in data_set:
            del data_set[keyword]
    if syntax.is_encapsulated:
        kept = syntax in WRITTEN and not WRITTEN[syntax].lossy and syntax not in MAY_BE_LOSSY
        target = str(syntax) if kept else LOSSLESS
        streams = [encode(frame, pixels.described, target)[0] for frame in pixels.frames]
        data_set.PixelData = encapsulate(streams, has_bot=sum(map(len, streams)) < 1 << 31)
        data_set["PixelData"].VR = "OB"
        data_set.file_meta.TransferSyntaxUID = UID(target)
    else:
        joined = b"".join(as_bytes(frame) for frame in pixels.frames)
        data_set.PixelData = joined + bytes(len(joined) % 2)
        data_set["PixelData"].VR = "OB" if pixels.described.bits_allocated == 8 else "OW"
    data_set["PixelData"].is_undefined_length = syntax.is_encapsulated
    data_set.PhotometricInterpretation = pixels.described.photometric
    if pixels.described.colour:
        data_set.PlanarConfiguration = 0


def _has_no_writing(data_set: Any) -> bool:
    """No picture at all, or one drawn by a program pixel for pixel."""
    return "PixelData" not in data_set or str(data_set.get("SOPClassUID")) == SEGMENTATION


def _frames(data_set: Any) -> int:
    try:
        return int(data_set.get("NumberOfFrames") or 1)
    except ValueError as error:
        raise Unsupported("deidentify.pixels-not-readable") from error


def _described(data_set: Any) -> Description:
    try:
        return of_data_set(data_set)
    except (AttributeError, TypeError, ValueError) as error:
        raise Unsupported("deidentify.pixels-not-readable") from error


def _written(pixels: Pixels, data_set: Any, reader: Reader) -> list[Line]:
    """The writing of all frames; frames that are the same are read once."""
    seen: set[bytes] = set()
    lines: list[Line] = []
    for frame in pixels.frames:
        digest = blake2b(frame.tobytes()).digest()
        if digest not in seen:
            seen.add(digest)
            for picture in pictures(frame, pixels.described, data_set):
                lines += reader.read(picture)
    return lines


def _may_name(text: str, identity: Identity) -> bool:
    """The patient's own words and numbers, and whatever could be a number or a date of anyone."""
    return identity.is_read_in(text) or sum(one.isdigit() for one in text) > 3


def _with_margin(box: Box) -> Box:
    around = max(round((box.bottom - box.top) * MARGIN), 2)
    return Box(box.left - around, box.top - around, box.right + around, box.bottom + around)


def _paint(frame: Frame, described: Description, boxes: Iterable[Box], kept: Sequence[Box]) -> None:
    rows, columns = described.rows, described.columns
    gone = np.full((rows, columns), bool(kept))
    for box in (one.within(columns, rows) for one in kept):
        gone[box.top : box.bottom, box.left : box.right] = False
    for box in (one.within(columns, rows) for one in boxes):
        gone[box.top : box.bottom, box.left : box.right] = True
    frame[gone] = _dark(frame, described)


def _dark(frame: Frame, described: Description) -> Any:
    """What is shown as black."""
    if described.photometric == "MONOCHROME1":
        return frame.max()
    if described.photometric.startswith("YBR"):
        return np.array([0, 128, 128], frame.dtype)
    return 0 if described.colour or not described.signed else frame.min()
