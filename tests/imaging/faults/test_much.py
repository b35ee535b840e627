"""Much at once: one object of gigabytes, one patient of thousands of studies, hundreds of senders.

Small here. With FULL_SIZE=1 in the environment and `-o log_cli=1 -o log_cli_level=INFO` it takes
what hospitals may bring, and says what it measured: 4 GB, 10,000 studies, 200 associations.
"""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from pydicom.uid import generate_uid
from tests.imaging.dimse.calling import associated, run
from tests.imaging.objects import a_picture, uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

from serai.imaging.dimse import Listener
from serai.platform.settings import Settings

log = logging.getLogger(__name__)

FULL = os.environ.get("FULL_SIZE") == "1"
MEGABYTE = 1024 * 1024
FRAMES = 4290 if FULL else 250
FRAME = 1000 * 1000
STUDIES = 10_000 if FULL else 300
ASSOCIATIONS = 200 if FULL else 40
VERIFICATION = "1.2.840.10008.1.1"

pytestmark = pytest.mark.timeout(3600 if FULL else 120)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def film(study: str) -> tuple[bytes, int]:
    """What stands before the frames of one long film, and how many bytes they are."""
    size = FRAMES * FRAME
    whole = a_picture(
        StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1", SOPInstanceUID=f"{study}.1.1",
        Rows=1000, Columns=1000, NumberOfFrames=FRAMES, PixelData=b"\0\0",
    )  # fmt: skip
    return whole[:-6] + size.to_bytes(4, "little"), size


def body(head: bytes) -> Iterator[bytes]:
    yield b"--cut\r\nContent-Type: application/dicom\r\n\r\n" + head
    for number in range(FRAMES):
        yield bytes([number % 251]) * FRAME
    yield b"\r\n--cut--"


def test_an_object_of_gigabytes_comes_and_goes_in_flat_memory(server: Server) -> None:
    study = "1.2.3.4.5"
    head, size = film(study)
    client = Client.of(server)
    assert client.store(a_picture()).status_code == 200
    before = peak_mb()
    kind = 'multipart/related; type="application/dicom"; boundary=cut'
    answer = httpx.post(
        f"{server.dicomweb}/studies",
        content=body(head),
        headers=client.headers | {"Content-Type": kind},
        timeout=1800,
    )
    assert answer.status_code == 200, answer.text
    path = f"/studies/{study}/series/{study}.1/instances/{study}.1.1"
    (metadata,) = client.found(f"{path}/metadata")
    assert metadata["00280008"]["Value"] == [FRAMES]
    last = client.get(f"{path}/frames/{FRAMES}", 'multipart/related; type="*/*"')
    assert last.content.count(bytes([(FRAMES - 1) % 251]) * FRAME) == 1
    wanted = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    with httpx.stream(
        "GET", f"{server.dicomweb}{path}", headers=client.headers | wanted, timeout=1800
    ) as whole:
        assert sum(map(len, whole.iter_raw())) > size
    grown = peak_mb() - before
    log.info("%s MB in and out, memory grew by %.0f MB", size // MEGABYTE, grown)
    assert grown < 120


def test_a_patient_of_thousands_of_studies_is_paged_exactly(server: Server) -> None:
    client = Client.of(server)
    sent = []
    for start in range(0, STUDIES, 100):
        day = time.strftime("%Y%m%d", time.gmtime(start * 86_400 // 10))
        some = [
            a_picture(PatientID="OFTEN", StudyDate=day) for _ in range(min(100, STUDIES - start))
        ]
        assert client.store(*some).status_code == 200
        sent += [uid(one, "StudyInstanceUID") for one in some]
    for _ in range(3):
        assert client.store(a_picture(PatientID="SELDOM")).status_code == 200
    seen: list[str] = []
    slowest = 0.0
    while len(seen) < STUDIES:
        began = time.monotonic()
        page = client.found("/studies", PatientID="OFTEN", limit="100", offset=str(len(seen)))
        slowest = max(slowest, time.monotonic() - began)
        assert len(page) == min(100, STUDIES - len(seen))
        seen += [one["0020000D"]["Value"][0] for one in page]
    assert sorted(seen) == sorted(sent)
    assert client.found("/studies", PatientID="OFTEN", limit="1", offset=str(STUDIES)) == []
    log.info("%s studies of one patient, slowest page of 100: %.0f ms", STUDIES, slowest * 1000)
    assert slowest < 1.0


@pytest.fixture
def listener(database_url: str, tmp_path: Path) -> Iterator[Listener]:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO dimse_peer (ae_title, organisation, services) "
            "VALUES ('MODALITY', 'county', '{store}')"
        )
    with Listener(Settings(home=tmp_path, dimse_port=0), database_url) as started:
        yield started


def test_hundreds_of_associations_send_at_once_and_leave_nothing_open(
    listener: Listener, database_url: str, tmp_path: Path
) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    study = str(generate_uid())

    def sent(device: int) -> int:
        folder = tmp_path / f"device {device}"
        folder.mkdir()
        for number in range(3):
            (folder / f"{number}.dcm").write_bytes(a_picture(StudyInstanceUID=study))
        address = ("-aet", "MODALITY", "-aec", "SERAI", "127.0.0.1", str(listener.port))
        return run("storescu", "+sd", *address, folder).returncode

    began = time.monotonic()
    with ThreadPoolExecutor(ASSOCIATIONS) as devices:
        ended = list(devices.map(sent, range(ASSOCIATIONS)))
    took = time.monotonic() - began
    log.info("%s associations with three pictures each in %.1f s", ASSOCIATIONS, took)
    assert ended == [0] * ASSOCIATIONS
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM imaging_instance").fetchone()
    assert row == (3 * ASSOCIATIONS,)
    with associated(listener, "MODALITY", VERIFICATION) as association:
        assert association.send_c_echo().Status == 0
    deadline = time.monotonic() + 20
    while len(os.listdir("/proc/self/fd")) > before + 20:  # noqa: PTH208
        assert time.monotonic() < deadline
        time.sleep(0.1)
