from __future__ import annotations

from io import BytesIO

import orjson
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from tests.imaging.objects import PYDICOM_FILES

from serai.imaging.archive.header import read_instance
from serai.imaging.dataset.model_json import Attributes
from serai.imaging.dataset.writing import encoded

NAME = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Wang", "Ideographic": "王"}]}}


def read(content: bytes, *, explicit: bool) -> Dataset:
    return read_dataset(BytesIO(content), is_implicit_VR=not explicit, is_little_endian=True)


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("name", ["CT_small.dcm", "reportsi.dcm", "rtplan.dcm"])
def test_what_was_read_is_written_again(name: str, *, explicit: bool) -> None:

    content = (PYDICOM_FILES / name).read_bytes()
    attributes: Attributes = {
        tag: each
        for tag, each in orjson.loads(read_instance(content).metadata).items()
        if "BulkDataURI" not in each and int(tag[:4], 16) % 2 == 0 and tag != "00083002"
    }
    written = read(encoded(attributes, explicit=explicit), explicit=explicit)
    original = dcmread(BytesIO(content))
    for element in written:
        if element.keyword != "SpecificCharacterSet":
            assert element.value == original[element.tag].value, element.keyword


@pytest.mark.parametrize(
    ("asked", "term"),
    [
        ((), "ISO_IR 192"),
        (("GB18030",), "GB18030"),
        (("ISO_IR 100",), "ISO_IR 192"),
        (("ISO 2022 IR 58",), "ISO_IR 192"),
        (("", "ISO 2022 IR 58"), "ISO_IR 192"),
    ],
    ids=str,
)
def test_text_is_written_in_the_set_asked_for_if_that_can_say_it(
    asked: tuple[str, ...], term: str
) -> None:
    written = read(encoded(NAME, explicit=True, asked=asked), explicit=True)
    assert written.SpecificCharacterSet == term
    assert str(written.PatientName) == "Wang=王"


def test_plain_text_needs_no_character_set() -> None:
    attributes = {"00100020": {"vr": "LO", "Value": ["P1"]}}
    assert "SpecificCharacterSet" not in read(encoded(attributes, explicit=True), explicit=True)
