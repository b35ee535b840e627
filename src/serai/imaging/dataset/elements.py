"""Walk the elements of an encoded data set, noting places instead of copying values (PS3.5 §7).

A value is described by where it starts and how long it is, so that a 500 MB object costs no
more than its header, and so that a value cut off by a broken transfer is noticed: pydicom
returns such values short, without a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap
from struct import Struct
from typing import NamedTuple

from serai.kernel.errors import Malformed

Buffer = bytes | mmap

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
MAX_DEPTH = 32

LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
SHORT_VRS = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905
)
SHORT_VR_NAMES = {vr.encode(): vr for vr in SHORT_VRS}
VR_NAMES = {vr.encode(): vr for vr in LONG_VRS | SHORT_VRS}


class Fragment(NamedTuple):
    """One item of encapsulated pixel data: its value's place (PS3.5 §A.4)."""

    start: int
    length: int


class Element(NamedTuple):
    """One data element. `items` for sequences, `fragments` for encapsulated values."""

    tag: int
    vr: str
    start: int
    length: int
    items: tuple[tuple[Element, ...], ...] | None = None
    fragments: tuple[Fragment, ...] | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written: VRs explicit or not, byte order."""

    explicit: bool
    little: bool


EXPLICIT_LITTLE = Encoding(explicit=True, little=True)
EXPLICIT_BIG = Encoding(explicit=True, little=False)
IMPLICIT_LITTLE = Encoding(explicit=False, little=True)


def walk(buffer: Buffer, start: int, encoding: Encoding) -> tuple[Element, ...]:
    """Every element from `start` to the end of the buffer; Malformed when one is cut off."""
    elements, _ = _Walker(buffer, encoding).elements(start, len(buffer), depth=0)
    return elements


def public_vr(tag: int) -> str:
    """The dictionary's VR of a tag (PS3.6); UN when it has none."""
    from pydicom.datadict import dictionary_VR

    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    if tag & 0xFFFF == 0:
        return "UL"
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UN"


class _Walker:
    def __init__(self, buffer: Buffer, encoding: Encoding) -> None:
        order = "<" if encoding.little else ">"
        self.buffer = buffer
        self.encoding = encoding
        self.explicit_header = Struct(f"{order}HH2sH").unpack_from
        self.implicit_header = Struct(f"{order}HHL").unpack_from
        self.long_length = Struct(f"{order}L").unpack_from

    def elements(self, at: int, end: int, *, depth: int) -> tuple[tuple[Element, ...], int]:
        """Elements up to `end` or an item delimiter, and the position behind them."""
        if depth > MAX_DEPTH:
            raise Malformed("dicom.nested-too-deeply")
        found: list[Element] = []
        while (at := self._plain(found, at, end)) < end:
            if self._only_padding(at, end):
                return tuple(found), end
            tag, vr, length, at = self._header(at, end)
            if tag == ITEM_END:
                return tuple(found), at
            element, at = self._element(tag, vr, length, at, end, depth)
            found.append(element)
        return tuple(found), at

    def _plain(self, found: list[Element], at: int, end: int) -> int:
        """Take explicit elements with short VRs, which most are, as long as nothing else comes."""
        unpack, buffer = self.explicit_header, self.buffer
        while self.encoding.explicit and at + 8 <= end:
            group, element, raw_vr, length = unpack(buffer, at)
            vr, behind = SHORT_VR_NAMES.get(raw_vr), at + 8 + length
            if vr is None or group == 0xFFFE or behind > end:
                break
            found.append(Element(group << 16 | element, vr, at + 8, length))
            at = behind
        return at

    def _only_padding(self, at: int, end: int) -> bool:
        """Some writers fill the last block with zeros, which no element begins with."""
        return self.buffer[at : at + 4] in (b"\0\0\0\0", b"\0\0\0", b"\0\0", b"\0") and not any(
            self.buffer[at:end]
        )

    def _header(self, at: int, end: int) -> tuple[int, str, int, int]:
        if end - at < 8:
            raise Malformed("dicom.truncated", at=at)
        if self.encoding.explicit:
            group, element, raw_vr, length = self.explicit_header(self.buffer, at)
            tag = group << 16 | element
            vr = VR_NAMES.get(raw_vr)
            if vr is not None and group != 0xFFFE:
                return self._explicit(tag, vr, length, at, end)
            if group != 0xFFFE and b"AA" <= raw_vr <= b"ZZ":
                return tag, "UN", length, at + 8
        # Delimiters carry no VR, and some writers switch to implicit inside explicit files.
        group, element, length = self.implicit_header(self.buffer, at)
        tag = group << 16 | element
        return tag, public_vr(tag), length, at + 8

    def _explicit(
        self, tag: int, vr: str, length: int, at: int, end: int
    ) -> tuple[int, str, int, int]:
        if vr in LONG_VRS:
            if end - at < 12:
                raise Malformed("dicom.truncated", tag=f"{tag:08X}")
            length = self.long_length(self.buffer, at + 8)[0]
            at += 4
        return tag, vr, length, at + 8

    def _element(
        self, tag: int, vr: str, length: int, at: int, end: int, depth: int
    ) -> tuple[Element, int]:
        if length == UNDEFINED:
            return self._undefined_length(tag, vr, at, end, depth)
        if at + length > end:
            raise Malformed("dicom.truncated", tag=f"{tag:08X}", missing=at + length - end)
        if vr == "SQ":
            items, _ = self.items(at, at + length, depth)
            return Element(tag, "SQ", at, length, items), at + length
        if vr == "UN":
            return self._unknown(tag, at, length, depth), at + length
        return Element(tag, vr, at, length), at + length

    def _unknown(self, tag: int, at: int, length: int, depth: int) -> Element:
        """UN with a VR that the dictionary knows is read by it (PS3.5 §6.2.2 note 2)."""
        vr = public_vr(tag)
        if vr == "SQ" and length:
            inner = _Walker(self.buffer, IMPLICIT_LITTLE)
            try:
                items, _ = inner.items(at, at + length, depth)
            except Malformed:
                return Element(tag, "UN", at, length)
            return Element(tag, "SQ", at, length, items)
        return Element(tag, vr, at, length)

    def _undefined_length(
        self, tag: int, vr: str, at: int, end: int, depth: int
    ) -> tuple[Element, int]:
        if vr in ("SQ", "UN"):
            # PS3.5 §6.2.2: UN of undefined length is a sequence in implicit little endian.
            reader = self if vr == "SQ" else _Walker(self.buffer, IMPLICIT_LITTLE)
            items, behind = reader.items(at, end, depth)
            return Element(tag, "SQ", at, behind - at, items), behind
        fragments, behind = self._fragments(tag, at, end)
        return Element(tag, vr, at, behind - at, None, fragments), behind

    def items(self, at: int, end: int, depth: int) -> tuple[tuple[tuple[Element, ...], ...], int]:
        items: list[tuple[Element, ...]] = []
        while at < end:
            tag, length, at = self._item_header(at, end)
            if tag == SEQUENCE_END:
                return tuple(items), at
            if tag != ITEM:
                raise Malformed("dicom.not-an-item", tag=f"{tag:08X}")
            item_end = end if length == UNDEFINED else at + length
            if item_end > end:
                raise Malformed("dicom.truncated", missing=item_end - end)
            elements, behind = self.elements(at, item_end, depth=depth + 1)
            at = behind if length == UNDEFINED else item_end
            items.append(elements)
        return tuple(items), at

    def _fragments(self, tag: int, at: int, end: int) -> tuple[tuple[Fragment, ...], int]:
        fragments: list[Fragment] = []
        while True:
            item, length, at = self._item_header(at, end)
            if item == SEQUENCE_END:
                return tuple(fragments), at
            if item != ITEM or length == UNDEFINED:
                raise Malformed("dicom.not-an-item", tag=f"{tag:08X}")
            if at + length > end:
                raise Malformed("dicom.truncated", tag=f"{tag:08X}", missing=at + length - end)
            fragments.append(Fragment(at, length))
            at += length

    def _item_header(self, at: int, end: int) -> tuple[int, int, int]:
        if end - at < 8:
            raise Malformed("dicom.truncated", at=at)
        group, element, length = self.implicit_header(self.buffer, at)
        return group << 16 | element, length, at + 8
