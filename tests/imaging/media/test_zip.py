"""A study as a zip archive: PS3.10 file-set, readable by others, and back in again."""

from __future__ import annotations

import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.fileset import FileSet
from tests.imaging.objects import PYDICOM_FILES, a_picture, uid, with_own_uids
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

STUDY = "1.2.826.0.1.3680043.8.498.77"
NAME = "王^小東=王^小東=wang"
KINDS = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "test-SR.dcm", "waveform_ecg.dcm",
         "rtplan.dcm", "rtdose.dcm", "693_J2KI.dcm", "image_dfl.dcm")  # fmt: skip


def of_one_study() -> list[bytes]:
    """Two series, names in Chinese, one object without the numbers a directory wants."""
    same = {"StudyInstanceUID": STUDY, "PatientName": NAME, "PatientID": "P7"}
    return [
        a_picture(**same, SeriesInstanceUID=f"{STUDY}.1", SeriesNumber=1, InstanceNumber=2),
        a_picture(**same, SeriesInstanceUID=f"{STUDY}.1", SeriesNumber=1, InstanceNumber=1),
        a_picture(**same, SeriesInstanceUID=f"{STUDY}.2", StudyDescription="头部 CT"),
    ]


def unpacked(answer: httpx.Response, folder: Path) -> Path:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    return folder


def listed(folder: Path) -> list[Any]:
    """What pydicom finds by the directory."""
    found = FileSet(folder / "DICOMDIR")
    # It would warn that nobody closed its folder for changes.
    found._stage["t"].cleanup()
    return list(found)


def bytes_below(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in (folder / "DICOM").rglob("*") if path.is_file())


def test_a_study_comes_as_a_file_set_with_every_object_bit_for_bit(
    server: Server, tmp_path: Path
) -> None:
    sent, client = of_one_study(), Client.of(server)
    client.store(*sent)
    folder = unpacked(client.get(f"/studies/{STUDY}", "application/zip"), tmp_path / "out")
    assert bytes_below(folder) == sorted(sent)
    found = listed(folder)
    instances = {str(each.SOPInstanceUID): each for each in found}
    assert instances.keys() == {uid(content) for content in sent}
    assert [each.InstanceNumber for each in found] == [1, 2, 1]
    assert str(found[0].PatientName) == "王^小東=王^小東=wang"
    assert {Path(each.path).relative_to(folder).parts[0] for each in found} == {"DICOM"}
    names = [part for path in folder.rglob("*") for part in path.relative_to(folder).parts]
    assert all(len(name.partition(".")[0]) <= 8 and name.isupper() for name in names)
    assert b"as it was received" in (folder / "README.TXT").read_bytes()


def test_dcmtk_reads_the_directory(server: Server, tmp_path: Path) -> None:
    client = Client.of(server)
    client.store(*of_one_study())
    folder = unpacked(client.get(f"/studies/{STUDY}", "application/zip"), tmp_path / "out")
    shown = subprocess.run(
        ["dcmdump", "-q", "+E", "+fo", "DICOMDIR"], cwd=folder, capture_output=True, check=True
    )
    assert shown.stdout.count(b"DirectoryRecordType") == 7
    # It reads every record, follows every link, and adds a file to what it found.
    (folder / "NEW").write_bytes(a_picture(PatientID="P8", StudyID="1", SeriesNumber=1,
                                           InstanceNumber=1))  # fmt: skip
    subprocess.run(
        ["dcmmkdir", "-q", "--append", "--general-purpose", "--invent", "NEW"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    assert len(listed(folder)) == 4


def test_objects_of_every_kind_have_their_record(server: Server, tmp_path: Path) -> None:
    client = Client.of(server)
    contents = [
        with_own_uids((PYDICOM_FILES / name).read_bytes(), number)
        for number, name in enumerate(KINDS)
    ]
    assert client.store(*contents).status_code in (200, 202)
    studies = {uid(content, "StudyInstanceUID"): content for content in contents}
    kinds = set()
    for number, (study, content) in enumerate(studies.items()):
        answer = client.get(f"/studies/{study}", "application/zip")
        folder = unpacked(answer, tmp_path / str(number))
        assert bytes_below(folder) == [content]
        records = pydicom.dcmread(folder / "DICOMDIR").DirectoryRecordSequence
        kinds.add(records[-1].DirectoryRecordType)
        assert len(listed(folder)) == 1
    assert kinds == {"IMAGE", "SR DOCUMENT", "WAVEFORM", "RT PLAN", "RT DOSE"}


def test_what_one_may_not_see_is_not_exported(server: Server) -> None:
    Client.of(server, "county").store(*of_one_study())
    for path in (f"/studies/{STUDY}", "/studies/1.2.3"):
        answer = Client.of(server, "township").get(path, "application/zip")
        assert (answer.status_code, answer.json()["error"]) == (404, "wado.nothing-there")
    series = Client.of(server, "county").get(
        f"/studies/{STUDY}/series/{STUDY}.1", "application/zip"
    )
    assert series.status_code == 406


@pytest.mark.parametrize("accept", ["application/zip", "multipart/related; type=application/dicom"])
def test_the_form_can_be_named_in_the_address(server: Server, accept: str) -> None:
    client = Client.of(server)
    client.store(*of_one_study())
    address = f"{server.dicomweb}/studies/{STUDY}"
    answer = httpx.get(address, params={"accept": accept}, headers=client.headers)
    assert answer.headers["Content-Type"].startswith(accept.partition(";")[0])
