"""The frame of an SCP-ECG record: its length, its sections, their checksums (EN 1064 §5.2)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serai.kernel.errors import Malformed

HEADER = 16
FRAME = 6
MARK = b"SCPECG"
MARK_AT = FRAME + 10
POINTER = struct.Struct("<HII")
# The standard's sections end at 11 (12 for long records); makers use 128 to 1023 for their own.
MOST_SECTIONS = 1024
LARGEST = 64 * 1024 * 1024


def damaged(place: str) -> Malformed:
    return Malformed("ecg.damaged", place=place)


@dataclass(slots=True)
class Reader:
    """Little-endian numbers one after the other; the end of the section is an error, not a zero."""

    data: bytes
    place: str
    at: int = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        if count < 0 or count > self.left:
            raise damaged(self.place)
        part = self.data[self.at : self.at + count]
        self.at += count
        return part

    def numbers(self, form: str) -> tuple[Any, ...]:
        layout = struct.Struct("<" + form)
        return layout.unpack(self.take(layout.size))

    def number(self, form: str) -> int:
        return int(self.numbers(form)[0])


def crc(data: bytes) -> int:
    """CRC-CCITT, first remainder all ones (EN 1064 §5.2.7)."""
    value = 0xFFFF
    for byte in data:
        value = TABLE[(value >> 8) ^ byte] ^ (value << 8 & 0xFFFF)
    return value


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
        table.append(value)
    return table


TABLE = _table()


def sections(content: bytes) -> Mapping[int, bytes]:
    """The contents of each section by its number; every checksum is right, or it is refused."""
    if not HEADER + FRAME <= len(content) <= LARGEST:
        raise damaged("record")
    checksum, size = struct.unpack_from("<HI", content)
    if size != len(content):
        raise damaged("length")
    if crc(content[2:]) != checksum:
        raise Malformed("ecg.checksum", section="record")
    found: dict[int, bytes] = {0: _section(content, 0, FRAME, None)}
    for number, length, index in _pointers(found[0]):
        if length and number not in found:
            found[number] = _section(content, number, index - 1, length)
    return found


def _pointers(section: bytes) -> list[tuple[int, int, int]]:
    count = len(section) // POINTER.size
    if count > MOST_SECTIONS:
        raise damaged("section 0")
    return [POINTER.unpack_from(section, place * POINTER.size) for place in range(count)]


def _section(content: bytes, number: int, start: int, length: int | None) -> bytes:
    if start < FRAME or start + HEADER > len(content):
        raise damaged(f"section {number}")
    checksum, named, own = struct.unpack_from("<HHI", content, start)
    if length is None:
        length = own
    if named != number or own != length or not HEADER <= length <= len(content) - start:
        raise damaged(f"section {number}")
    # A maker that does not sum a section writes 0; the record's own sum covers it all the same.
    if checksum and crc(content[start + 2 : start + length]) != checksum:
        raise Malformed("ecg.checksum", section=number)
    return content[start + HEADER : start + length]
