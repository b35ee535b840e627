from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian
from tests.imaging.objects import PYDICOM_FILES, a_picture, as_part10

from serai.imaging.archive.header import read_instance
from serai.imaging.dataset import part10
from serai.imaging.dataset.model_json import JsonModel
from serai.kernel.errors import Malformed

READABLE = [
    path
    for path in sorted(PYDICOM_FILES.rglob("*"))
    if path.is_file() and path.read_bytes()[128:132] == b"DICM"
]
# Each with what it lacks; pydicom reads them, short values included.
BROKEN = {
    "MR_truncated.dcm": "dicom.truncated",
    "rtplan_truncated.dcm": "dicom.truncated",
    "meta_missing_tsyntax.dcm": "dicom.no-transfer-syntax",
    "DICOMDIR-nooffset": "dicom.truncated",
}
# pydicom cannot turn its broken integer into JSON.
BEYOND_PYDICOM = {"badVR.dcm"}


def attributes_of(content: bytes) -> dict[str, Any]:
    file = part10.read(content)
    model = JsonModel(file.data, file.encoding, lambda path, _: f"/bulk/{path}")
    return model.attributes(file.elements)


def compared(value: Any) -> Any:
    """pydicom keeps group lengths, writes empty values and paddings differently."""
    if isinstance(value, dict):
        shown = {k: compared(v) for k, v in value.items() if not _is_group_length(k)}
        if "BulkDataURI" in shown or "InlineBinary" in shown:
            return "binary"
        if shown.get("Value") == []:
            del shown["Value"]
        return shown
    if isinstance(value, list):
        return [compared(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return (value.strip() or None) if isinstance(value, str) else value


def _is_group_length(name: str) -> bool:
    return len(name) == 8 and name.endswith("0000")


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.name)
def test_every_readable_file_means_the_same_as_pydicom_reads_in_it(path: Path) -> None:
    if path.name in BROKEN:
        with pytest.raises(Malformed) as refused:
            part10.read(path.read_bytes())
        assert refused.value.key == BROKEN[path.name]
        return
    ours = attributes_of(path.read_bytes())
    if path.name in BEYOND_PYDICOM:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = pydicom.dcmread(path).to_json_dict(0, lambda _: "/bulk")
    assert compared(ours) == compared(reference)


def test_a_file_cut_off_within_an_element_is_refused() -> None:
    content = a_picture()
    ends = {element.start + element.length for element in part10.read(content).elements}
    for kept in set(range(len(content))) - ends:
        with pytest.raises(Malformed):
            read_instance(content[:kept])


def test_an_image_cut_off_before_its_pixels_is_refused() -> None:
    content = a_picture()
    before_pixels = part10.read(content).elements[-1].start - 12
    with pytest.raises(Malformed, match=r"dicom\.truncated"):
        read_instance(content[:before_pixels])


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_deflated_and_big_endian_objects_are_read(syntax: str) -> None:
    data_set = pydicom.dcmread(PYDICOM_FILES / "CT_small.dcm")
    if syntax == ExplicitVRBigEndian:
        data_set = pydicom.dcmread(PYDICOM_FILES / "MR_small_bigendian.dcm")
    content = as_part10(data_set, syntax)
    assert read_instance(content).uid == data_set.SOPInstanceUID


def test_a_deflated_object_that_inflates_to_nothing_readable_is_refused() -> None:
    content = part10.header(
        sop_class="1.2.840.10008.5.1.4.1.1.7",
        sop_instance="1.2.3",
        transfer_syntax=part10.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        source="TEST",
    )
    with pytest.raises(Malformed, match=r"dicom\.broken-deflate"):
        part10.read(content + b"\xff" * 40)


@pytest.mark.parametrize("missing", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_an_object_without_its_uids_is_refused(missing: str) -> None:
    with pytest.raises(Malformed, match=r"dicom\.missing-uid"):
        read_instance(a_picture(**{missing: ""}))


def test_a_directory_is_not_an_instance() -> None:
    with pytest.raises(Malformed, match=r"dicom\.directory"):
        read_instance((PYDICOM_FILES / "dicomdirtests" / "DICOMDIR").read_bytes())


def test_sequences_nested_without_end_are_refused() -> None:
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    sequence = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff"
    head = part10.header(
        sop_class="1.2.3",
        sop_instance="1.2.3",
        transfer_syntax=part10.EXPLICIT_VR_LITTLE_ENDIAN,
        source="TEST",
    )
    with pytest.raises(Malformed, match=r"dicom\.nested-too-deeply"):
        part10.read(head + (sequence + item) * 2000)


def test_our_file_meta_is_what_pydicom_expects() -> None:
    head = part10.header(
        sop_class="1.2.840.10008.5.1.4.1.1.7",
        sop_instance="1.2.3",
        transfer_syntax=part10.IMPLICIT_VR_LITTLE_ENDIAN,
        source="CT1",
    )
    data_set = b"\x08\x00\x18\x00\x06\x00\x00\x001.2.3\0"
    read = pydicom.dcmread(pydicom.filebase.DicomBytesIO(head + data_set))
    assert read.file_meta.SourceApplicationEntityTitle == "CT1"
    assert read.SOPInstanceUID == "1.2.3"
    assert part10.data_set_start(head + data_set) == len(head)
