from __future__ import annotations

from typing import Any

import pytest
from tests.imaging.objects import a_picture
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

PEOPLE = [
    ("1.1", "P1", "Wang^XiaoDong=王^小东", "20260101", "101500", "CT"),
    ("1.2", "P2", "Иванов^Пётр", "20260102", "235959.5", "MR"),
    ("1.3", "P3", "Müller^Jörg", "20260103", "", "US"),
    ("1.4", "P4", "Hong^Gildong=洪^吉洞=홍^길동", "20260103", "0815", "CT"),
    ("1.5", "P5_%", "Smith^John", "", "120000", "CT"),
]


@pytest.fixture(scope="module")
def archive(shared_server: Server) -> Client:
    client = Client.of(shared_server)
    pictures = [
        a_picture(
            StudyInstanceUID=study,
            SeriesInstanceUID=f"{study}.1",
            SOPInstanceUID=f"{study}.1.1",
            PatientID=patient,
            PatientName=name,
            StudyDate=day,
            StudyTime=time,
            Modality=modality,
            ReferringPhysicianName="Чехов^Антон",
            PatientBirthDate="19700515",
        )
        for study, patient, name, day, time, modality in PEOPLE
    ]
    assert client.store(*pictures).status_code == 200
    return client


def studies(found: list[Any]) -> list[str]:
    return [each["0020000D"]["Value"][0] for each in found]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"PatientName": "王*"}, ["1.1"]),
        ({"PatientName": "*小东*"}, ["1.1"]),
        ({"PatientName": "wang^xiaodong"}, ["1.1"]),
        ({"PatientName": "Wang^XiaoDong=王^小东"}, ["1.1"]),
        ({"PatientName": "=王*"}, ["1.1"]),
        ({"PatientName": "ИВАНОВ*"}, ["1.2"]),
        ({"PatientName": "muller*"}, ["1.3"]),
        ({"PatientName": "M?ller^J*"}, ["1.3"]),
        ({"PatientName": "홍*"}, ["1.4"]),
        ({"PatientName": "==홍^길동"}, ["1.4"]),
        ({"PatientName": "Wang"}, []),
        ({"PatientID": "P2"}, ["1.2"]),
        ({"PatientID": "P5_%"}, ["1.5"]),
        ({"PatientID": "P?_*"}, ["1.5"]),
        ({"PatientID": "P_"}, []),
        ({"00100020": "P2"}, ["1.2"]),
        ({"StudyDate": "20260102"}, ["1.2"]),
        ({"StudyDate": "20260102-20260103"}, ["1.3", "1.4", "1.2"]),
        ({"StudyDate": "-20260101"}, ["1.1"]),
        ({"StudyDate": "20260103-"}, ["1.3", "1.4"]),
        ({"StudyTime": "1015"}, ["1.1"]),
        ({"StudyTime": "080000-103000"}, ["1.4", "1.1"]),
        ({"StudyDate": "20260101-20260102", "StudyTime": "110000-230000"}, []),
        ({"StudyInstanceUID": "1.1,1.3"}, ["1.3", "1.1"]),
        ({"StudyInstanceUID": "1.1\\1.3"}, ["1.3", "1.1"]),
        ({"ModalitiesInStudy": "CT"}, ["1.4", "1.1", "1.5"]),
        ({"ModalitiesInStudy": "MR\\US"}, ["1.3", "1.2"]),
        ({"ModalitiesInStudy": "C?"}, ["1.4", "1.1", "1.5"]),
        ({"ReferringPhysicianName": "чехов*", "limit": "1"}, ["1.3"]),
        ({"PatientBirthDate": "19700101-19701231", "limit": "1"}, ["1.3"]),
        ({"PatientBirthDate": "19800101-"}, []),
        ({"PatientName": "*", "PatientID": "", "limit": "2", "offset": "3"}, ["1.1", "1.5"]),
    ],
)
def test_studies_are_found(archive: Client, query: dict[str, str], expected: list[str]) -> None:
    found = studies(archive.found("/studies", **query))
    assert sorted(found) == sorted(expected)
    if "StudyTime" not in query and len(expected) == 2 and "offset" in query:
        assert found == expected


def test_pages_follow_each_other_without_gaps(archive: Client) -> None:
    pages = [studies(archive.found("/studies", limit="2", offset=str(at))) for at in (0, 2, 4, 6)]
    assert pages == [["1.3", "1.4"], ["1.2", "1.1"], ["1.5"], []]


@pytest.mark.parametrize(
    "query",
    [
        {"NoSuchKeyword": "1"},
        {"SeriesInstanceUID": "1.1.1"},
        {"PixelData": "1"},
        {"StudyDate": "yesterday"},
        {"limit": "-1"},
        {"limit": "many"},
        {"includefield": "NoSuchKeyword"},
        {"PatientName": "a\0b"},
    ],
)
def test_what_cannot_be_honoured_is_refused(archive: Client, query: dict[str, str]) -> None:
    answer = archive.get("/studies", **query)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("qido.")


def test_series_and_instances_are_found_at_every_level(archive: Client) -> None:
    assert len(archive.found("/series", Modality="CT")) == 3
    assert len(archive.found("/instances", PatientID="P2")) == 1
    (series,) = archive.found("/studies/1.1/series")
    assert series["00201209"]["Value"] == [1]
    assert "00100010" not in series
    (instance,) = archive.found("/studies/1.1/series/1.1.1/instances", InstanceNumber="")
    assert instance["00080018"]["Value"] == ["1.1.1.1"]
    assert instance["00280010"]["Value"] == [8]
    assert archive.found("/studies/1.1/instances", SOPInstanceUID="1.2.1.1") == []


def test_fields_can_be_asked_for(archive: Client) -> None:
    (plain,) = archive.found("/studies", PatientID="P1")
    assert "00100010" in plain
    (more,) = archive.found("/studies", PatientID="P1", includefield="PatientBirthDate,00080090")
    assert more["00080090"]["Value"] == [{"Alphabetic": "Чехов^Антон"}]
    (everything,) = archive.found("/instances", PatientID="P1", includefield="all")
    assert everything["00280103"]["Value"] == [0]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("xiaodong wang", ["1.1"]),
        ("王小东", ["1.1"]),
        ("小东", ["1.1"]),
        ("Jorg", ["1.3"]),
        ("пётр иванов", ["1.2"]),
        ("길동 홍", ["1.4"]),
        ("gil* hong", ["1.4"]),
        ("john smith", ["1.5"]),
        ("john wang", []),
    ],
)
def test_fuzzy_matching_finds_words_in_any_order(
    archive: Client, asked: str, expected: list[str]
) -> None:
    found = archive.get("/studies", PatientName=asked, fuzzymatching="true")
    assert studies(found.json()) == expected
    assert "Warning" not in found.headers


def test_an_unchanged_answer_is_not_sent_twice(archive: Client) -> None:
    first = archive.get("/studies")
    again = Client(archive.server, archive.headers | {"If-None-Match": first.headers["ETag"]})
    assert again.get("/studies").status_code == 304


def test_counts_are_right_while_a_study_is_growing(server: Server) -> None:
    client = Client.of(server)
    for modality in ("CT", "SR"):
        client.store(a_picture(StudyInstanceUID="1.1", Modality=modality))
    (study,) = client.found("/studies", StudyInstanceUID="1.1")
    assert study["00201206"]["Value"] == [2]
    assert study["00201208"]["Value"] == [2]
    assert study["00080061"]["Value"] == ["CT", "SR"]
