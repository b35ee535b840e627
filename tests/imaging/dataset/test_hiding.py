"""Objects without their patient: nothing tells who it was, everything else is as it was."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests.imaging.objects import PYDICOM_FILES, a_picture, as_part10

from serai.imaging.archive.header import read_instance
from serai.imaging.dataset.hiding import HIDDEN, KEPT_OF_PATIENT, Hiding

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
# Implicit, explicit, big endian, deflated, encapsulated; nested and private elements.
FILES = ("CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm",
         "image_dfl.dcm", "JPEG2000.dcm", "rtplan.dcm", "rtdose.dcm", "waveform_ecg.dcm",
         "examples_overlay.dcm")  # fmt: skip


def hidden(content: bytes, number: str = "LINK-1") -> tuple[bytes, Dataset]:
    parts = Hiding(number, {}).file(content)
    written = b"".join(part if isinstance(part, bytes) else content[part] for part in parts)
    return written, pydicom.dcmread(io.BytesIO(written))


def elements(data_set: Dataset) -> dict[str, Any]:
    return {f"{each.tag:08X}": each for each in data_set.iterall()}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_any_encoding_is_the_same_without_its_patient(name: str) -> None:
    content = Path(PYDICOM_FILES / name).read_bytes()
    before = pydicom.dcmread(io.BytesIO(content))
    _, after = hidden(content)
    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    assert (after.PatientName, after.PatientID) == ("Anonymous", "LINK-1")
    left = elements(after)
    assert [tag for tag in left if tag in HIDDEN and left[tag].value] == []
    of_patient = {tag for tag in left if tag.startswith("0010")}
    assert of_patient <= KEPT_OF_PATIENT | {"00100010", "00100020", "00100030"}
    assert not any(each.tag.is_private for each in after.iterall())
    assert [tag for tag, each in left.items() if each.VR == "PN" and each.value] == ["00100010"]
    for keyword in ("PixelData", "Rows", "StudyInstanceUID", "SOPInstanceUID", "StudyDate",
                    "Modality", "WindowCenter", "WaveformSequence"):  # fmt: skip
        if keyword in before and not any(e.VR == "PN" for e in _within(before[keyword])):
            assert after.get(keyword) == before.get(keyword), keyword


def _within(element: Any) -> list[Any]:
    if element.VR != "SQ":
        return []
    return [each for item in element.value for each in item.iterall()]


@pytest.mark.parametrize("name", FILES)
def test_what_is_told_of_an_object_and_the_object_agree(name: str) -> None:
    content = Path(PYDICOM_FILES / name).read_bytes()
    told = Hiding("LINK-1", {}).attributes(_metadata(content))
    written, _ = hidden(content)
    again = _metadata(written)
    assert told.keys() == again.keys()
    for tag in told:
        if "BulkDataURI" not in str(told[tag]):
            assert told[tag] == again[tag], tag


def _metadata(content: bytes) -> dict[str, Any]:
    import orjson

    read: dict[str, Any] = orjson.loads(read_instance(content).metadata)
    return read


def test_names_are_found_wherever_they_were_written() -> None:
    item = Dataset()
    item.PersonName = "Zhang^Wei"
    item.CodeMeaning = "Head of ZHANG wei"
    content = a_picture(
        PatientName="Zhang^Wei=张^伟",
        PatientID="HOSP-4711",
        SeriesDescription="Axial, Zhang",
        ProtocolName="头部 张伟",
        ImageComments="seen",
        StudyDescription="Weight study",
        AcquisitionDeviceProcessingDescription="for hosp-4711",
        ContentSequence=Sequence([item]),
        PatientSex="M",
        PatientAge="068Y",
        # Random ones have the digits of the number in them now and then.
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.3.1",
        SOPInstanceUID="1.2.3.1.1",
    )
    written, after = hidden(content)
    text = written.decode("utf-8", "replace").lower()
    assert [word for word in ("zhang", "张", "4711") if word in text] == []
    # A word that only contains a name is none.
    assert (after.StudyDescription, after.PatientSex, after.PatientAge) == (
        "Weight study", "M", "068Y",
    )  # fmt: skip
    assert "SeriesDescription" not in after
    assert after.PatientIdentityRemoved == "YES"


@pytest.mark.parametrize(
    ("sop_class", "withheld"),
    [
        ("1.2.840.10008.5.1.4.1.1.104.1", True),
        ("1.2.840.10008.5.1.4.1.1.88.11", True),
        ("1.2.840.10008.5.1.4.1.1.88.33", True),
        ("1.2.840.10008.5.1.4.1.1.88.59", False),
        ("1.2.840.10008.5.1.4.1.1.88.67", False),
        ("1.2.840.10008.5.1.4.1.1.2", False),
        ("1.2.840.10008.5.1.4.1.1.481.3", False),
    ],
)
def test_documents_are_withheld_and_pictures_are_not(sop_class: str, withheld: bool) -> None:
    assert Hiding("LINK-1", {}).withholds(sop_class) is withheld


def test_large_pixels_are_sent_from_where_they_lie() -> None:
    picture = pydicom.dcmread(io.BytesIO(a_picture(Rows=512, Columns=512)))
    picture.PixelData = bytes(range(256)) * 1024
    content = as_part10(picture)
    spans = [part for part in Hiding("LINK-1", {}).file(content) if isinstance(part, slice)]
    assert [content[span] for span in spans] == [picture.PixelData]
