"""Files are known by what they hold."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest
from pydicom.data import get_testdata_file

from serai.exchange.importing.recognise import HEAD, Form, is_litter, recognise


def a_zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a", "b")
    return held.getvalue()


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"", Form.EMPTY),
        (b'{"resourceType": "Patient"}', Form.JSON),
        (b'{\n  "resourceType": "Patient"\n}\n', Form.JSON),
        (b'{"resourceType": "Patient"}\n\n', Form.JSON),
        (b'\xef\xbb\xbf  {"resourceType": "Patient"}', Form.JSON),
        (b'{"resourceType": "Patient"}\n{"resourceType": "Patient"}\n', Form.NDJSON),
        (b'{"resourceType": "Patient"}\r\n\r\n{"resourceType": "Pa', Form.NDJSON),
        (b'{"a":"' + b"x" * HEAD, Form.JSON),
        (a_zip(), Form.ZIP),
        (gzip.compress(b"{}", mtime=0), Form.GZIP),
        (b"family,given\nDoe,Jane\n", Form.UNKNOWN),
        (b"<Patient xmlns='http://hl7.org/fhir'/>", Form.UNKNOWN),
    ],
)
def test_the_content_says_what_a_file_is(head: bytes, form: Form) -> None:
    assert recognise(head[:HEAD]) is form


@pytest.mark.parametrize(
    ("name", "form"),
    [("CT_small.dcm", Form.DICOM), ("waveform_ecg.dcm", Form.DICOM), ("DICOMDIR", Form.DICOMDIR)],
)
def test_dicom_is_known_by_its_prefix_not_by_its_name(name: str, form: Form) -> None:
    with open(str(get_testdata_file(name)), "rb") as file:  # noqa: PTH123
        assert recognise(file.read(HEAD)) is form


@pytest.mark.parametrize("place", ["__MACOSX/._a.json", "x/.DS_Store", "Thumbs.db"])
def test_what_file_managers_leave_behind_is_nobodys_record(place: str) -> None:
    assert is_litter(place)
    assert not is_litter("patients/a.json")
