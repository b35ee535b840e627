"""Whom the pictures show, set right by people; the pictures stay what was sent."""

from __future__ import annotations

import httpx
import psycopg
import pytest
from tests.imaging.dicomweb.test_stow import failures, instance_path
from tests.imaging.objects import a_picture
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

from serai.imaging import reasons

WRONG = {"PatientID": "E1", "PatientName": "Unknown^Emergency", "PatientBirthDate": ""}
RIGHT = {
    "PatientID": "42",
    "IssuerOfPatientID": "county",
    "PatientName": "Wang^Fang=王^芳",
    "PatientBirthDate": "19610203",
    "PatientSex": "F",
}


def correct(client: Client, study: str, wanted: dict[str, str]) -> httpx.Response:
    address = f"{client.server.dicomweb}/studies/{study}/patient"
    return httpx.put(address, json=wanted, headers=client.headers)


def undo(client: Client, study: str) -> httpx.Response:
    return httpx.delete(f"{client.server.dicomweb}/studies/{study}/patient", headers=client.headers)


def subject(server: Server) -> dict[str, object]:
    with psycopg.connect(server.database_url) as connection:
        row = connection.execute(
            "SELECT convert_from(content, 'UTF8')::jsonb -> 'subject' FROM fhir_resource "
            "WHERE type = 'ImagingStudy'"
        ).fetchone()
        assert row
        found: dict[str, object] = row[0]
        return found


def test_an_emergency_study_becomes_the_right_patients(server: Server) -> None:
    client = Client.of(server, "county")
    picture = a_picture(StudyInstanceUID="1.6", SeriesInstanceUID="1.6.1", **WRONG)
    client.store(picture)
    before = client.found("/studies/1.6/metadata")
    assert correct(client, "1.6", RIGHT).status_code == 204
    assert client.found("/studies", PatientID="E1") == []
    (study,) = client.found("/studies", PatientName="王*")
    assert study["00100020"]["Value"] == ["42"]
    (metadata,) = client.found("/studies/1.6/metadata")
    assert metadata["00100030"]["Value"] == ["19610203"]
    assert metadata["00100010"]["Value"] == [{"Alphabetic": "Wang^Fang", "Ideographic": "王^芳"}]
    assert subject(server)["identifier"] == {"value": "42", "assigner": {"display": "county"}}
    # The object itself is what was sent.
    assert client.get(instance_path(picture), accept="application/dicom").content == picture
    assert undo(client, "1.6").status_code == 204
    assert client.found("/studies/1.6/metadata") == before
    assert len(client.found("/studies", PatientID="E1")) == 1
    assert undo(client, "1.6").status_code == 404
    with psycopg.connect(server.database_url) as connection:
        rows = connection.execute("SELECT act FROM audit_event ORDER BY sequence").fetchall()
    acts = [act for (act,) in rows if str(act).startswith("dicom.")]
    assert acts == ["dicom.store", "dicom.correct-patient", "dicom.undo-correction"]


def test_pictures_that_follow_a_correction_are_corrected_too(server: Server) -> None:
    client = Client.of(server, "county")
    client.store(a_picture(StudyInstanceUID="1.6", **WRONG))
    correct(client, "1.6", RIGHT)
    assert client.store(a_picture(StudyInstanceUID="1.6", **WRONG)).status_code == 200
    ids = [each["00100020"]["Value"] for each in client.found("/studies/1.6/metadata")]
    assert ids == [["42"], ["42"]]
    other = a_picture(StudyInstanceUID="1.6", PatientID="7")
    assert failures(client.store(other)) == [reasons.DOES_NOT_MATCH]


def test_two_studies_are_merged_under_one_number_and_split_again(server: Server) -> None:
    client = Client.of(server, "county")
    client.store(a_picture(StudyInstanceUID="1.1", PatientID="A"))
    client.store(a_picture(StudyInstanceUID="1.2", PatientID="B"))
    correct(client, "1.2", {"PatientID": "A"})
    assert len(client.found("/studies", PatientID="A")) == 2
    undo(client, "1.2")
    (left,) = client.found("/studies", PatientID="A")
    assert left["0020000D"]["Value"] == ["1.1"]


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"PatientID": ""},
        {"PatientID": "1", "Diagnosis": "x"},
        {"PatientID": "1", "PatientSex": "female"},
        {"PatientID": "1", "PatientBirthDate": "1961"},
        {"PatientID": "a\\b"},
        {"PatientID": "x" * 65},
    ],
)
def test_demographics_that_do_not_fit_are_refused(
    shared_server: Server, wanted: dict[str, str]
) -> None:
    client = Client.of(shared_server, "county")
    client.store(a_picture(StudyInstanceUID="1.6.9", PatientID="Q"))
    assert correct(client, "1.6.9", wanted).status_code == 400


def test_nobody_corrects_anothers_study(server: Server) -> None:
    Client.of(server, "county").store(a_picture(StudyInstanceUID="1.6"))
    township = Client.of(server, "township")
    assert correct(township, "1.6", RIGHT).status_code == 404
    assert undo(township, "1.6").status_code == 404
