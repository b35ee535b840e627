"""pydicom's own test files go in through real clients and come back with the same pixels."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from pydicom.uid import UID
from tests.imaging.objects import PYDICOM_FILES, with_own_uids
from tests.imaging.serving import Server

from serai.imaging.dimse import Listener
from serai.platform.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

# The files the archive refuses, each with the reason it gives.
REFUSED = {
    "MR_truncated.dcm": "Truncated: the file ends within an element (7FE00010)",
    "rtplan_truncated.dcm": "Truncated: the file ends within an element (300A00B0)",
    "meta_missing_tsyntax.dcm": "File meta has no transfer syntax",
    "no_meta.dcm": "Not a DICOM Part 10 file: no DICM prefix",
    "ExplVR_BigEndNoMeta.dcm": "Not a DICOM Part 10 file: no DICM prefix",
    "ExplVR_LitEndNoMeta.dcm": "Not a DICOM Part 10 file: no DICM prefix",
    "rtstruct.dcm": "Not a DICOM Part 10 file: no DICM prefix",
}
# What dcmtk 3.6.7 itself cannot read: "missing SOP class (or instance) in file".
UNREADABLE_FOR_DCMTK = {"rtdose_rle.dcm", "rtdose_rle_1frame.dcm", "SC_rgb_jpeg.dcm"}
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def _instances() -> list[Path]:
    """Every file that holds an instance; folders' directories and notes are none."""
    files = sorted(PYDICOM_FILES.glob("*.dcm"))
    files += sorted((PYDICOM_FILES / "dicomdirtests").glob("9*/*/*"))
    return files


def _identifies_itself(path: Path) -> bool:
    read = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    return "SOPInstanceUID" in read and "StudyInstanceUID" in read and "SeriesInstanceUID" in read


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    WITHOUT_UIDS = {path.name for path in _instances() if not _identifies_itself(path)}
    ACCEPTED = [
        path for path in _instances() if path.name not in REFUSED and path.name not in WITHOUT_UIDS
    ]


def _content(path: Path) -> bytes:
    return with_own_uids(path.read_bytes(), ACCEPTED.index(path))


def _pixels(data_set: pydicom.Dataset) -> Any:
    return next((data_set[each].value for each in PIXELS if each in data_set), None)


@pytest.fixture(scope="module")
def http(shared_server: Server) -> Iterator[httpx.Client]:
    """One connection, as a modality keeps it."""
    address, headers = shared_server.dicomweb, shared_server.headers()
    with httpx.Client(base_url=address, headers=headers) as connected:
        yield connected


@pytest.fixture(scope="module")
def client(shared_server: Server) -> DICOMwebClient:
    return DICOMwebClient(shared_server.dicomweb, headers=shared_server.headers())


@pytest.fixture(scope="module")
def listener(shared_server: Server) -> Iterator[Listener]:
    with psycopg.connect(shared_server.database_url) as connection:
        connection.execute("INSERT INTO dimse_peer (ae_title) VALUES ('STORESCU')")
    settings = Settings(home=shared_server.home, dimse_port=0)
    with Listener(settings, shared_server.database_url) as started:
        yield started


def _stow(http: httpx.Client, content: bytes) -> httpx.Response:
    body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--x--"
    kind = 'multipart/related; type="application/dicom"; boundary=x'
    return http.post("/studies", content=body, headers={"Content-Type": kind})


def _wado(http: httpx.Client, data_set: pydicom.Dataset) -> httpx.Response:
    address = (
        f"/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}"
        f"/instances/{data_set.SOPInstanceUID}"
    )
    return http.get(address, headers={"Accept": "application/dicom; transfer-syntax=*"})


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.name)
def test_stored_by_dicomweb_it_comes_back_unchanged(path: Path, http: httpx.Client) -> None:
    content = _content(path)
    sent = pydicom.dcmread(BytesIO(content))
    answer = _stow(http, content)
    assert answer.status_code == 200, answer.text
    assert _wado(http, sent).content == content
    (found,) = http.get("/instances", params={"SOPInstanceUID": sent.SOPInstanceUID}).json()
    assert found["00080016"]["Value"] == [sent.SOPClassUID]


@pytest.mark.parametrize("name", sorted(REFUSED.keys() | WITHOUT_UIDS))
def test_refused_with_the_reason(name: str, http: httpx.Client) -> None:
    answer = _stow(http, (PYDICOM_FILES / name).read_bytes())
    assert answer.status_code == 409
    assert REFUSED.get(name, "A required UID is missing") in answer.text


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "liver_1frame.dcm"])
def test_the_dicomweb_client_finds_what_it_stores(name: str, client: DICOMwebClient) -> None:
    content = with_own_uids((PYDICOM_FILES / name).read_bytes(), 5000 + sum(name.encode()))
    sent = pydicom.dcmread(BytesIO(content))
    answer = client.store_instances([sent])
    assert len(answer.ReferencedSOPSequence) == 1
    uids = (sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID)
    assert len(client.search_for_studies(search_filters={"StudyInstanceUID": uids[0]})) == 1
    assert len(client.search_for_series(uids[0])) == 1
    assert len(client.search_for_instances(*uids[:2])) == 1
    assert client.retrieve_instance_metadata(*uids)["00080018"]["Value"] == [uids[2]]
    assert len(client.retrieve_study_metadata(uids[0])) == 1
    assert _pixels(client.retrieve_instance(*uids)) == _pixels(sent)
    assert client.retrieve_instance_frames(*uids, frame_numbers=[1]) == [sent.PixelData]
    assert client.retrieve_instance_rendered(*uids, media_types=("image/png",))


# dcmtk proposes a compressed syntax only when told to.
PROPOSE = {
    "1.2.840.10008.1.2": "--propose-implicit",
    "1.2.840.10008.1.2.1": "--propose-little",
    "1.2.840.10008.1.2.1.99": "--propose-deflated",
    "1.2.840.10008.1.2.2": "--propose-big",
    "1.2.840.10008.1.2.4.50": "--propose-jpeg8",
    "1.2.840.10008.1.2.4.51": "--propose-jpeg12",
    "1.2.840.10008.1.2.4.70": "--propose-lossless",
    "1.2.840.10008.1.2.4.80": "--propose-jls-lossless",
    "1.2.840.10008.1.2.4.90": "--propose-j2k-lossless",
    "1.2.840.10008.1.2.4.91": "--propose-j2k-lossy",
    "1.2.840.10008.1.2.5": "--propose-rle",
}


@pytest.mark.parametrize("syntax", sorted(PROPOSE), ids=lambda uid: UID(uid).name)
def test_stored_by_storescu_pixels_come_back_bit_identical(
    syntax: str, listener: Listener, http: httpx.Client, tmp_path: Path
) -> None:
    sent = [
        _for_dimse(path, tmp_path)
        for path in ACCEPTED
        if _syntax(path) == syntax and path.name not in UNREADABLE_FOR_DCMTK
    ]
    result = subprocess.run(
        ["storescu", "-aec", "SERAI", PROPOSE[syntax], "--no-halt", "-R", "127.0.0.1",
         str(listener.port), *map(str, sent)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert sent
    for path in sent:
        original = pydicom.dcmread(path)
        answer = _wado(http, original)
        assert answer.status_code == 200, (path.name, result.stderr)
        kept = pydicom.dcmread(BytesIO(answer.content))
        assert _pixels(kept) == _pixels(original)
        assert kept.file_meta.TransferSyntaxUID == syntax


def _syntax(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)


def _for_dimse(path: Path, folder: Path) -> Path:
    number = 1000 + ACCEPTED.index(path)
    copy = folder / f"{number}-{path.name}"
    copy.write_bytes(with_own_uids(path.read_bytes(), number))
    return copy
