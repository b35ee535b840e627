from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.imaging.dicomweb.multipart import Parser, PartEnd, PartStart
from serai.kernel.errors import Malformed, Unsupported

TYPE = 'multipart/related; type="application/dicom"; boundary="cut here"'


def body(*contents: bytes) -> bytes:
    parts = (b"\r\n--cut here\r\nContent-Type: application/dicom\r\n\r\n" + c for c in contents)
    return b"".join(parts) + b"\r\n--cut here--\r\n"


def parts(content: bytes, step: int) -> tuple[list[bytes], bool]:
    parser, found, current = Parser(TYPE), [], b""
    for at in range(0, len(content), step):
        for event in parser.feed(content[at : at + step]):
            if isinstance(event, PartStart):
                assert event.headers == {"content-type": "application/dicom"}
                current = b""
            elif isinstance(event, PartEnd):
                found.append(current)
            else:
                current += event
    return found, parser.finished


@given(st.lists(st.binary(max_size=200), max_size=4), st.integers(1, 300))
def test_parts_are_the_same_however_the_body_is_cut(contents: list[bytes], step: int) -> None:
    assert parts(body(*contents), step) == (contents, True)


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\r\n--cut her", b"a\r\n--cut", b"--cut her"])
def test_content_that_resembles_the_boundary_stays_content(content: bytes) -> None:
    assert parts(body(content, b"next"), 1) == ([content, b"next"], True)


def test_the_first_boundary_may_stand_at_the_very_start() -> None:
    assert parts(body(b"x")[2:], 3) == ([b"x"], True)


def test_a_body_cut_off_keeps_its_complete_parts() -> None:
    assert parts(body(b"one", b"two")[:-20], 5) == ([b"one"], False)


def test_a_form_is_not_a_dicom_upload() -> None:
    with pytest.raises(Unsupported):
        Parser("multipart/form-data; boundary=x")


def test_a_boundary_is_needed() -> None:
    with pytest.raises(Malformed):
        Parser("multipart/related")
