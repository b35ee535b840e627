from __future__ import annotations

import struct

import pytest

from serai.imaging.dataset import pixels
from serai.imaging.dataset.elements import EXPLICIT_LITTLE, walk
from serai.imaging.dataset.model_json import Attributes


def item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<L", len(content)) + content


def encapsulated(offset_table: bytes, *fragments: bytes) -> bytes:
    head = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    return head + item(offset_table) + b"".join(item(each) for each in fragments) + end


def frames_of(content: bytes, count: int) -> list[bytes]:
    attributes: Attributes = {"00280008": {"vr": "IS", "Value": [count]}}
    found = pixels.locate(content, walk(content, 0, EXPLICIT_LITTLE), attributes)
    assert found is not None
    assert found.table is not None
    places = (pixels.place(found.table, number) for number in range(count))
    return [pixels.without_item_headers(content[at : at + size]) for at, size in places]


def test_one_frame_in_several_fragments_is_joined() -> None:
    assert frames_of(encapsulated(b"", b"ab", b"cd"), 1) == [b"abcd"]


def test_as_many_fragments_as_frames_need_no_table() -> None:
    assert frames_of(encapsulated(b"", b"ab", b"cd"), 2) == [b"ab", b"cd"]


def test_the_basic_offset_table_tells_where_frames_begin() -> None:
    table = struct.pack("<LL", 0, 20)
    assert frames_of(encapsulated(table, b"ab", b"cd", b"ef", b"gh"), 2) == [b"abcd", b"efgh"]


def test_the_extended_offset_table_counts_first() -> None:
    extended = b"\xe0\x7f\x01\x00OV\0\0" + struct.pack("<L", 16) + struct.pack("<QQ", 0, 10)
    content = extended + encapsulated(b"", b"ab", b"cd", b"ef")
    assert frames_of(content, 2) == [b"ab", b"cdef"]


def test_without_tables_jpeg_end_markers_part_the_frames() -> None:
    content = encapsulated(b"", b"ab", b"c\xff\xd9\0", b"de", b"f\xff\xd9\0")
    assert frames_of(content, 2) == [b"abc\xff\xd9\0", b"def\xff\xd9\0"]


def test_frames_that_cannot_be_told_apart_have_no_places() -> None:
    content = encapsulated(b"", b"ab", b"cd", b"ef")
    attributes: Attributes = {"00280008": {"vr": "IS", "Value": [2]}}
    found = pixels.locate(content, walk(content, 0, EXPLICIT_LITTLE), attributes)
    assert found is not None
    assert found.table is None


@pytest.mark.parametrize(("length", "fits"), [(64, True), (60, False)])
def test_native_frames_must_fit_their_pixel_data(length: int, fits: bool) -> None:
    content = b"\xe0\x7f\x10\x00OB\0\0" + struct.pack("<L", length) + bytes(length)
    attributes: Attributes = {
        "00280010": {"vr": "US", "Value": [8]},
        "00280011": {"vr": "US", "Value": [8]},
        "00280100": {"vr": "US", "Value": [8]},
    }
    found = pixels.locate(content, walk(content, 0, EXPLICIT_LITTLE), attributes)
    assert found is not None
    assert (found.frame_bits == 512) is fits
