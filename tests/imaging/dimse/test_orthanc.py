"""Orthanc as a peer: it pushes to us, looks at what we have, pulls it, and asks us to commit."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pydicom import dcmread
from tests.imaging.dimse.calling import free_port, send, soon
from tests.imaging.objects import a_picture, uid

from serai.imaging.dataset.part10 import data_set_start
from serai.imaging.dimse import Listener
from serai.platform.blob_files import place

STUDY = "1.2.826.0.1.3680043.8.498.7"


@dataclass(frozen=True)
class Orthanc:
    """The running peer, by its REST interface."""

    rest: httpx.Client

    def given(self, content: bytes) -> str:
        """Its own identifier of an instance it was given."""
        identifier: str = self._answer("instances", content=content)["ID"]
        return identifier

    def told(self, what: str, **about: Any) -> Any:
        return self._answer(f"modalities/serai/{what}", json=about)

    def found(self, keys: dict[str, str]) -> list[str]:
        """The addresses of the answers to a C-FIND for studies."""
        query = self.told("query", Level="Study", Query=keys)["ID"]
        numbers: list[str] = self.rest.get(f"queries/{query}/answers").json()
        return [f"queries/{query}/answers/{number}" for number in numbers]

    def pulled(self, address: str) -> None:
        self._answer(f"{address}/retrieve", json={"TargetAet": "ORTHANC", "Synchronous": True})

    def holds(self) -> dict[str, bytes]:
        """The data set of every instance it has, by SOP Instance UID."""
        files = (self.rest.get(f"instances/{one}/file").content for one in self._instances())
        return {uid(content): content[data_set_start(content) :] for content in files}

    def emptied(self) -> None:
        for study in self.rest.get("studies").json():
            assert self.rest.delete(f"studies/{study}").status_code == 200

    def _instances(self) -> list[str]:
        listed: list[str] = self.rest.get("instances").json()
        return listed

    def _answer(self, path: str, **request: Any) -> Any:
        answer = self.rest.post(path, **request)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def orthanc(listener: Listener, database_url: str, tmp_path: Path) -> Iterator[Orthanc]:
    web, dicom = free_port(), free_port()
    folder = tmp_path / "orthanc"
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": web,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "AuthenticationEnabled": False,
        "DefaultEncoding": "Utf8",
        "DicomModalities": {"serai": ["SERAI", "127.0.0.1", listener.port]},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO dimse_peer (ae_title, organisation, services, host, port) VALUES "
            "('ORTHANC', 'county', '{store,find,retrieve,commitment}', '127.0.0.1', %s)",
            (dicom,),
        )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{web}", timeout=20) as rest:
            assert soon(lambda: _is_up(rest), within_s=30), (folder / "log").read_text()
            yield Orthanc(rest)
    finally:
        process.terminate()
        process.wait(20)


def _is_up(rest: httpx.Client) -> bool:
    try:
        return rest.get("system").status_code == 200
    except httpx.TransportError:
        return False


def test_what_orthanc_pushes_is_kept_as_it_has_it_and_committed_to(
    orthanc: Orthanc, database_url: str, home: Path
) -> None:
    sent = [
        a_picture(StudyInstanceUID=STUDY, InstanceNumber=number, PatientName="Li^Wei=李^伟")
        for number in range(3)
    ]
    identifiers = [orthanc.given(content) for content in sent]
    assert orthanc.told("echo") == {}
    assert (
        orthanc.told("store", Resources=identifiers, Synchronous=True)["FailedInstancesCount"] == 0
    )
    assert _kept(database_url, home) == orthanc.holds()

    report = orthanc.told("storage-commitment", Resources=identifiers)["ID"]

    def told() -> Any:
        return orthanc.rest.get(f"storage-commitment/{report}").json()

    assert soon(lambda: told()["Status"] != "Pending")
    assert told()["Status"] == "Success"
    assert {one["SOPInstanceUID"] for one in told()["Success"]} == {uid(one) for one in sent}


def test_orthanc_finds_a_patient_written_in_chinese_and_pulls_the_pictures(
    orthanc: Orthanc, listener: Listener
) -> None:
    here = [
        a_picture(StudyInstanceUID=STUDY, PatientID="P7", PatientName="Li^Wei=李^伟"),
        a_picture(StudyInstanceUID=STUDY, PatientID="P7", PatientName="Li^Wei=李^伟"),
        a_picture(PatientID="P8", PatientName="Wang^Fang=王^芳"),
    ]
    assert send(listener, *here) == [0, 0, 0]
    assert orthanc.holds() == {}
    (address,) = orthanc.found({"PatientName": "*李*", "PatientID": ""})
    answer = orthanc.rest.get(f"{address}/content?simplify").json()
    assert (answer["PatientID"], answer["StudyInstanceUID"]) == ("P7", STUDY)
    orthanc.pulled(address)
    assert orthanc.holds() == {uid(one): _as_sent(one) for one in here[:2]}


def test_pictures_go_there_and_back_without_a_byte_changed(
    orthanc: Orthanc, listener: Listener, database_url: str, home: Path
) -> None:
    identifier = orthanc.given(a_picture(StudyInstanceUID=STUDY, PatientID="P9"))
    orthanc.told("store", Resources=[identifier], Synchronous=True)
    before = orthanc.holds()
    orthanc.emptied()
    (address,) = orthanc.found({"StudyInstanceUID": STUDY})
    orthanc.pulled(address)
    assert orthanc.holds() == before == _kept(database_url, home)


def test_orthanc_is_told_that_nothing_can_be_promised_for_what_never_came(orthanc: Orthanc) -> None:
    identifier = orthanc.given(a_picture())
    report = orthanc.told("storage-commitment", Resources=[identifier])["ID"]
    told = orthanc.rest.get
    assert soon(lambda: told(f"storage-commitment/{report}").json()["Status"] != "Pending")
    answer = told(f"storage-commitment/{report}").json()
    assert (answer["Status"], answer["Success"]) == ("Failure", [])


def _kept(database_url: str, home: Path) -> dict[str, bytes]:
    """Our data sets by SOP Instance UID, from their files."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT uid, blob FROM imaging_instance").fetchall()
    assert soon(lambda: all((home / "blobs" / place(blob)).exists() for _, blob in rows))
    files = {name: (home / "blobs" / place(blob)).read_bytes() for name, blob in rows}
    return {name: content[data_set_start(content) :] for name, content in files.items()}


def _as_sent(content: bytes) -> bytes:
    assert dcmread(BytesIO(content)).file_meta.TransferSyntaxUID.is_little_endian
    return content[data_set_start(content) :]
