"""The DICOM file format: preamble, file meta information, data set (PS3.10 §7)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from serai.imaging.dataset.elements import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    LONG_VRS,
    Buffer,
    Element,
    Encoding,
    walk,
)
from serai.kernel.errors import Malformed

PREAMBLE = 128
PREFIX = b"DICM"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = frozenset(
    {
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
    }
)
# Derived from a UUID by PS3.5 §B.2, so that no registration authority is needed.
IMPLEMENTATION_CLASS_UID = "2.25.196417539271840277912316046018203754021"
IMPLEMENTATION_VERSION_NAME = "SERAI"
# A deflated report is small; a bomb is not.
MAX_INFLATED = 512 * 1024 * 1024
# A few kilobytes may say anything about what they unpack to: memory is lent in proportion.
INFLATED_FREELY = 32 * 1024 * 1024
MOST_TIMES_INFLATED = 50

META_ELEMENT = struct.Struct("<HH2sH")
META_GROUP = b"\x02\0"


@dataclass(frozen=True, slots=True)
class Part10:
    """A readable file. `data` is `buffer`, or the inflated data set of a deflated file."""

    transfer_syntax: str
    sop_class: str
    sop_instance: str
    data: Buffer
    data_start: int
    encoding: Encoding
    elements: tuple[Element, ...]


def read(buffer: Buffer) -> Part10:
    """Read the header of a complete Part 10 file; Malformed with the reason otherwise."""
    meta, data_start = _file_meta(buffer)
    syntax = meta.get(0x00020010, "")
    if not syntax:
        raise Malformed("dicom.no-transfer-syntax")
    data, start = buffer, data_start
    if syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        data, start = _inflate(buffer, data_start), 0
    encoding = encoding_of(syntax)
    elements = walk(data, start, encoding)
    sop_class, sop_instance = meta.get(0x00020002, ""), meta.get(0x00020003, "")
    return Part10(syntax, sop_class, sop_instance, data, start, encoding, elements)


def data_set_start(buffer: Buffer) -> int:
    """Where the file meta information ends."""
    return _file_meta(buffer)[1]


def encoding_of(transfer_syntax: str) -> Encoding:
    """Every encapsulated syntax is explicit little endian (PS3.5 §A.4)."""
    if transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN:
        return IMPLICIT_LITTLE
    if transfer_syntax == EXPLICIT_VR_BIG_ENDIAN:
        return EXPLICIT_BIG
    return EXPLICIT_LITTLE


def header(*, sop_class: str, sop_instance: str, transfer_syntax: str, source: str) -> bytes:
    """Preamble and file meta information for a data set received by C-STORE (PS3.10 §7.1)."""
    elements = b"".join(
        (
            struct.pack("<HH2sHLH", 2, 1, b"OB", 0, 2, 0x0100),
            _meta_element(0x0002, "UI", sop_class),
            _meta_element(0x0003, "UI", sop_instance),
            _meta_element(0x0010, "UI", transfer_syntax),
            _meta_element(0x0012, "UI", IMPLEMENTATION_CLASS_UID),
            _meta_element(0x0013, "SH", IMPLEMENTATION_VERSION_NAME),
            _meta_element(0x0016, "AE", source),
        )
    )
    group_length = META_ELEMENT.pack(2, 0, b"UL", 4) + struct.pack("<L", len(elements))
    return bytes(PREAMBLE) + PREFIX + group_length + elements


def _meta_element(element: int, vr: str, value: str) -> bytes:
    raw = value.encode("ascii", "replace")
    if len(raw) % 2:
        raw += b"\0" if vr == "UI" else b" "
    return META_ELEMENT.pack(2, element, vr.encode(), len(raw)) + raw


def _file_meta(buffer: Buffer) -> tuple[dict[int, str], int]:
    """Text values of group 0002 and where the data set starts."""
    if buffer[PREAMBLE : PREAMBLE + 4] != PREFIX:
        raise Malformed("dicom.not-part10")
    at, end = PREAMBLE + 4, len(buffer)
    values: dict[int, str] = {}
    while end - at >= 8 and buffer[at : at + 2] == META_GROUP:
        element, start, length = _meta_header(buffer, at)
        if start + length > end:
            raise Malformed("dicom.truncated", at=at)
        text = bytes(buffer[start : start + min(length, 64)])
        values[0x00020000 | element] = text.decode("latin-1").strip("\0 ")
        at = start + length
    if not values:
        raise Malformed("dicom.no-file-meta")
    if at >= end:
        raise Malformed("dicom.truncated", at=at)
    return values, at


def _meta_header(buffer: Buffer, at: int) -> tuple[int, int, int]:
    """Element number, start and length of a value; always explicit little endian."""
    _, element, vr, length = META_ELEMENT.unpack_from(buffer, at)
    if vr.decode("latin-1") not in LONG_VRS:
        return element, at + 8, length
    if len(buffer) - at < 12:
        raise Malformed("dicom.truncated", at=at)
    return element, at + 12, int.from_bytes(buffer[at + 8 : at + 12], "little")


def _inflate(buffer: Buffer, start: int) -> bytes:
    """The data set of Deflated Explicit VR Little Endian: a raw deflate stream (PS3.5 §A.5)."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    deflated = buffer[start:]
    limit = min(MAX_INFLATED, INFLATED_FREELY + MOST_TIMES_INFLATED * len(deflated))
    try:
        data = inflater.decompress(deflated, limit)
    except zlib.error as error:
        raise Malformed("dicom.broken-deflate") from error
    if inflater.unconsumed_tail:
        raise Malformed("dicom.inflates-too-large", limit=limit)
    if not inflater.eof:
        raise Malformed("dicom.truncated", at=len(buffer))
    return data
