from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.imaging.objects import a_picture, uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

from serai.imaging import reasons


def failures(answer: httpx.Response, sequence: str = "00081198") -> list[int]:
    items = answer.json().get(sequence, {}).get("Value", [])
    return [item["00081197"]["Value"][0] for item in items]


def blobs(server: Server) -> list[Path]:
    return [path for path in (server.home / "blobs").rglob("*") if path.is_file()]


def test_a_broken_object_is_refused_and_its_neighbours_are_kept(server: Server) -> None:
    client = Client.of(server)
    first, second = a_picture(), a_picture()
    answer = client.store(first, b"\0" * 128 + b"DICM" + b"garbage" * 10, second)
    assert answer.status_code == 202
    assert len(answer.json()["00081199"]["Value"]) == 2
    assert failures(answer, "0008119A") == [reasons.CANNOT_UNDERSTAND]
    assert len(client.found("/studies")) == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"not DICOM at all", a_picture()[:-40], a_picture(StudyInstanceUID="")],
    ids=["empty", "foreign", "truncated", "without study UID"],
)
def test_what_cannot_be_kept_leaves_nothing_behind(server: Server, content: bytes) -> None:
    client = Client.of(server)
    assert client.store(content).status_code == 409
    assert client.found("/studies") == []
    assert blobs(server) == []
    assert list((server.home / "blobs.unfinished").iterdir()) == []


def test_the_same_object_again_is_acknowledged_and_kept_once(server: Server) -> None:
    client, picture = Client.of(server), a_picture()
    assert [client.store(picture).status_code for _ in range(2)] == [200, 200]
    assert client.store(picture, picture).status_code == 200
    assert len(blobs(server)) == 1


def test_the_same_uid_with_other_pixels_is_refused_and_reported(server: Server) -> None:
    client, picture = Client.of(server), a_picture()
    client.store(picture)
    changed = picture.replace(bytes(range(64)), bytes(64))
    answer = client.store(changed)
    assert answer.status_code == 409
    assert failures(answer) == [reasons.DUPLICATE_INSTANCE]
    kept = client.get(instance_path(picture), accept="application/dicom")
    assert kept.content == picture
    assert len(blobs(server)) == 1


def test_of_two_contents_for_one_uid_in_one_request_the_first_is_kept(server: Server) -> None:
    client, picture = Client.of(server), a_picture()
    answer = client.store(picture, picture.replace(bytes(range(64)), bytes(64)))
    assert answer.status_code == 202
    assert client.get(instance_path(picture), accept="application/dicom").content == picture


def test_an_instance_uid_reused_in_another_study_is_refused(server: Server) -> None:
    client, picture = Client.of(server), a_picture()
    client.store(picture)
    other = a_picture(SOPInstanceUID=uid(picture), PatientID="P2")
    assert failures(client.store(other)) == [reasons.DUPLICATE_INSTANCE]
    assert len(client.found("/studies")) == 1


def test_a_study_never_mixes_two_patients(server: Server) -> None:
    client = Client.of(server)
    client.store(a_picture(StudyInstanceUID="1.2.3", PatientID="P1"))
    answer = client.store(a_picture(StudyInstanceUID="1.2.3", PatientID="P2"))
    assert failures(answer) == [reasons.DOES_NOT_MATCH]
    both = client.store(
        a_picture(StudyInstanceUID="1.2.4", PatientID="P1"),
        a_picture(StudyInstanceUID="1.2.4", PatientID="P2"),
    )
    assert both.status_code == 202


def test_objects_of_another_study_than_addressed_are_refused(server: Server) -> None:
    client, picture = Client.of(server), a_picture()
    answer = client.store(picture, study="1.2.3")
    assert answer.status_code == 409
    assert client.store(picture, study=uid(picture, "StudyInstanceUID")).status_code == 200


def test_a_request_cut_off_keeps_its_complete_objects(server: Server) -> None:
    client = Client.of(server)
    answer = client.store(a_picture(), a_picture(), end=b"")
    assert answer.status_code == 202
    assert len(client.found("/studies")) == 2


def test_a_large_object_passes_through_a_file(server: Server) -> None:
    client = Client.of(server)
    large = a_picture(Rows=2048, Columns=4096, PixelData=bytes(2048 * 4096))
    assert client.store(large, a_picture()).status_code == 200
    assert client.get(instance_path(large), accept="application/dicom").content == large
    assert list((server.home / "blobs.unfinished").iterdir()) == []


def test_a_request_without_boundary_cannot_be_read(server: Server) -> None:
    headers = {**Client.of(server).headers, "Content-Type": "multipart/related"}
    answer = httpx.post(f"{server.dicomweb}/studies", headers=headers, content=b"x")
    assert answer.status_code == 400


def test_only_dicom_is_taken(server: Server) -> None:
    headers = Client.of(server).headers
    address = f"{server.dicomweb}/studies"
    for kind in ("application/dicom+json", "multipart/related; type=application/dicom+xml"):
        answer = httpx.post(address, headers=headers | {"Content-Type": kind}, content=b"x")
        assert answer.status_code == 415


def test_a_stranger_stores_nothing(server: Server) -> None:
    picture = a_picture()
    assert Client(server, {}).store(picture).status_code == 401
    reader = {"Authorization": f"Bearer {server.token(scope='system/ImagingStudy.rs')}"}
    assert Client(server, reader).store(picture).status_code == 403
    assert blobs(server) == []


def instance_path(content: bytes) -> str:
    study, series = uid(content, "StudyInstanceUID"), uid(content, "SeriesInstanceUID")
    return f"/studies/{study}/series/{series}/instances/{uid(content)}"
