"""Search Transaction (PS3.18 §11.9): resource, query and expected workitems as data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from tests.imaging.serving import Server, serving
from tests.imaging.ups.asking import Worklist, code, element

from serai.platform.postgres import Cluster

WORKLIST = {
    "1": {
        "t00741204": element("LO", "CT chest"),
        "t00741200": element("CS", "HIGH"),
        "t00404005": element("DT", "20261201080000+0000"),
        "t00404025": element("SQ", code("WS1", "99SERAI")),
        "t0020000D": element("UI", "1.2.840.1"),
    },
    "2": {
        "t00100010": element("PN", {"Alphabetic": "García^Ana María"}),
        "t00100020": element("LO", "P2"),
        "t00100021": element("LO", "COUNTY"),
        "t00404005": element("DT", "20261201170000+0800"),
        "t00404018": element("SQ", code("110006"), code("110007", "99X")),
        "t0040A370": element(
            "SQ",
            {
                "0020000D": element("UI", "1.2.840.2"),
                "00080050": element("SH", "A-77"),
                "00080051": element("SQ"),
                "00400026": element("SQ"),
                "00400027": element("SQ"),
                "00401001": element("SH", "RP7"),
                "00321060": element("LO"),
                "00321064": element("SQ"),
            },
        ),
        "t00100030": element("DA", "20010203"),
        "t00741202": element("LO", "Post-processing"),
        "t0020000D": element("UI", "1.2.840.2"),
    },
    "3": {
        "t00100010": element("PN", {"Alphabetic": "Иванов^Пётр"}),
        "t00404005": element("DT", "202612"),
        "t00404011": element("DT", "20261224"),
        "t00404041": element("CS", "INCOMPLETE"),
        "t00404034": element(
            "SQ",
            {
                "00404009": element("SQ", code("DR1", "99STAFF")),
                "00404036": element("LO", "County hospital"),
                "00404037": element("PN", {"Alphabetic": "Wu^Min"}),
            },
        ),
    },
}
# December 2026 begins before its first day's morning, so 3 comes before 1 and 2.
FOUND = [
    ("", ["3", "1", "2"]),
    ("limit=1", ["3"]),
    ("limit=1&offset=1", ["1"]),
    ("offset=3", []),
    ("SOPInstanceUID=1,3", ["3", "1"]),
    ("00080018=2", ["2"]),
    ("PatientName=garcia*", ["2"]),
    ("PatientName=李*", ["1"]),
    ("PatientName=ivanov", []),
    ("PatientName=maria garcia&fuzzymatching=true", ["2"]),
    ("PatientName=maria garcia", []),
    ("PatientID=P1", ["3", "1"]),
    ("PatientID=P2&IssuerOfPatientID=COUNTY", ["2"]),
    ("PatientID=P2&IssuerOfPatientID=OTHER", []),
    ("PatientBirthDate=20010101-20011231", ["2"]),
    ("ProcedureStepState=SCHEDULED", ["3", "1", "2"]),
    ("ProcedureStepState=COMPLETED", []),
    ("ScheduledProcedureStepPriority=HIGH", ["1"]),
    ("ProcedureStepLabel=CT*", ["3", "1", "2"]),
    ("WorklistLabel=Post-processing", ["2"]),
    ("InputReadinessState=READY", ["1", "2"]),
    ("StudyInstanceUID=1.2.840.1,1.2.840.2", ["1", "2"]),
    ("StudyInstanceUID=1.2.840", []),
    ("ScheduledProcedureStepStartDateTime=20261201083000-20261201093000", ["2"]),
    ("ScheduledProcedureStepStartDateTime=2026120108", ["1"]),
    ("ScheduledProcedureStepStartDateTime=-20261201080000", ["3", "1"]),
    ("ScheduledProcedureStepStartDateTime=20261201080001-", ["2"]),
    ("ScheduledProcedureStepStartDateTime=20261201170000%2B0800", ["2"]),
    ("00404005=20261201160000-20261201170000&TimezoneOffsetFromUTC=%2B0800", ["1", "2"]),
    ("ExpectedCompletionDateTime=20261224", ["3"]),
    ("ScheduledWorkitemCodeSequence.CodeValue=110005", ["3", "1"]),
    ("00404018.00080100=110007&00404018.00080102=99X", ["2"]),
    ("00404018.00080100=110006&00404018.00080102=99X", []),
    ("ScheduledStationNameCodeSequence.CodeValue=ws1", ["1"]),
    ("00404034.00404009.00080100=DR1", ["3"]),
    ("ScheduledHumanPerformersSequence.HumanPerformerOrganization=County*", ["3"]),
    ("ReferencedRequestSequence.AccessionNumber=A-77", ["2"]),
    ("ReferencedRequestSequence.StudyInstanceUID=1.2.840.2,9", ["2"]),
    ("ReferencedRequestSequence.RequestedProcedureID=RP?", ["2"]),
    ("PatientID=*&ProcedureStepState=", ["3", "1", "2"]),
]


@pytest.fixture(scope="module")
def listed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(cluster.url.replace("/serai?", "/postgres?"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE serai STRATEGY file_copy")
        url = cluster.url.replace("/serai?", f"/{name}?")
        with serving(url, Path(tmp_path_factory.mktemp("home"))) as started:
            for uid, changed in WORKLIST.items():
                Worklist.of(started, "county").created(uid, **changed)
            yield started
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(("query", "expected"), FOUND)
def test_search_finds(listed: Server, query: str, expected: list[str]) -> None:
    for who in ("county", None):
        assert Worklist.of(listed, who).uids(query) == expected


@pytest.mark.parametrize(
    "query",
    ["Nonsense=1", "PatientComments=x", "ScheduledProcedureStepStartDateTime=soon", "limit=-1",
     "00404018.00080104=Reading", "includefield=Nonsense", "TransactionUID=1.2",
     "00404018=x", "TimezoneOffsetFromUTC=east"],
)  # fmt: skip
def test_what_cannot_be_searched_by_is_refused(listed: Server, query: str) -> None:
    assert Worklist.of(listed).ask("GET", f"?{query}").status_code == 400


def test_answers_have_the_return_keys_and_what_was_asked_for(listed: Server) -> None:
    worklist = Worklist.of(listed)
    (plain,) = worklist.found("00080018=3")
    assert {"00741000", "00741204", "00100010", "0040A370", "00741002"} <= plain.keys()
    assert not {"00404011", "00741216", "00400400"} & plain.keys()
    (asked,) = worklist.found("00080018=3&includefield=ExpectedCompletionDateTime,00400400")
    assert asked["00404011"]["Value"] == ["20261224"]
    assert "00400400" in asked
    (matched,) = worklist.found("ExpectedCompletionDateTime=20261224")
    assert "00404011" in matched
    (everything,) = worklist.found("00080018=3&includefield=all")
    assert everything == worklist.read("3")


def test_a_page_says_that_there_is_more(listed: Server) -> None:
    answer = Worklist.of(listed).ask("GET", "?limit=2")
    assert answer.status_code == 200
    assert answer.headers["Warning"].endswith("additional results that can be requested")
    assert "Warning" not in Worklist.of(listed).ask("GET", "?limit=3").headers


def test_a_search_that_finds_nothing_has_no_content(listed: Server) -> None:
    assert Worklist.of(listed).ask("GET", "?PatientID=none").status_code == 204
