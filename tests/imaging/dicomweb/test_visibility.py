from __future__ import annotations

import pytest
from tests.imaging.dicomweb.test_stow import failures, instance_path
from tests.imaging.objects import a_picture, uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

from serai.imaging import reasons


def test_one_patient_number_at_two_hospitals_is_two_people(server: Server) -> None:
    county, township = Client.of(server, "county"), Client.of(server, "township")
    county.store(a_picture(PatientID="42", PatientName="Alpha^Anna"))
    township.store(a_picture(PatientID="42", PatientName="Beta^Boris"))
    (seen,) = county.found("/studies", PatientID="42")
    assert seen["00100010"]["Value"] == [{"Alphabetic": "Alpha^Anna"}]
    (seen,) = township.found("/studies", PatientID="42")
    assert seen["00100010"]["Value"] == [{"Alphabetic": "Beta^Boris"}]
    names = {
        study["00100010"]["Value"][0]["Alphabetic"]
        for study in Client.of(server).found("/studies", PatientID="42")
    }
    assert names == {"Alpha^Anna", "Beta^Boris"}


def test_one_patient_number_from_two_issuers_is_two_people(server: Server) -> None:
    client = Client.of(server, "county")
    client.store(
        a_picture(PatientID="42", PatientName="Alpha^Anna", IssuerOfPatientID="A"),
        a_picture(PatientID="42", PatientName="Beta^Boris", IssuerOfPatientID="B"),
    )
    (found,) = client.found("/studies", PatientID="42", IssuerOfPatientID="B")
    assert found["00100010"]["Value"] == [{"Alphabetic": "Beta^Boris"}]
    mixed = a_picture(StudyInstanceUID=found["0020000D"]["Value"][0], PatientID="42",
                      IssuerOfPatientID="A")  # fmt: skip
    assert failures(client.store(mixed)) == [reasons.DOES_NOT_MATCH]


@pytest.mark.parametrize("suffix", ["", "/metadata", "/frames/1", "/rendered", "/thumbnail"])
def test_another_hospitals_pictures_are_not_there(shared_server: Server, suffix: str) -> None:
    picture = a_picture()
    Client.of(shared_server, "county").store(picture)
    path = instance_path(picture) + suffix
    assert Client.of(shared_server, "county").get(path, accept="*/*").status_code == 200
    assert Client.of(shared_server, "township").get(path, accept="*/*").status_code == 404
    for level in ("studies", "series", "instances"):
        assert Client.of(shared_server, "township").found(f"/{level}") == []


def test_nobody_adds_to_another_hospitals_study(server: Server) -> None:
    picture = a_picture()
    Client.of(server, "county").store(picture)
    study = uid(picture, "StudyInstanceUID")
    township = Client.of(server, "township")
    assert failures(township.store(a_picture(StudyInstanceUID=study))) == [reasons.NOT_AUTHORISED]
    assert failures(township.store(picture)) == [reasons.NOT_AUTHORISED]
