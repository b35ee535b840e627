from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from tests.imaging.dimse.calling import as_data_set, find, matches, run
from tests.imaging.dimse.orders import AE, a_patient, an_order, keep

from serai.imaging import reasons
from serai.imaging.dimse import Listener
from serai.imaging.dimse.worklist import MODALITY_WORKLIST

STEP = {
    "Modality": "", "ScheduledStationAETitle": "", "ScheduledProcedureStepStartDate": "",
    "ScheduledProcedureStepStartTime": "", "ScheduledProcedureStepID": "",
}  # fmt: skip


@pytest.fixture
def department(listener: Listener, database_url: str) -> Listener:
    keep(
        database_url,
        a_patient("wei"),
        a_patient("fang", name=[{"family": "Wang", "given": ["Fang"]}]),
        an_order("ct-today"),
        an_order("mr-today", "fang", modality="MR"),
        an_order("ct-moved", "fang"),
        {
            "resourceType": "Appointment",
            "id": "visit",
            "status": "booked",
            "basedOn": [{"reference": "ServiceRequest/ct-moved"}],
            "start": "2026-11-27T14:00:00+08:00",
            "participant": [{"actor": {"reference": "Patient/fang"}, "status": "accepted"}],
        },
        an_order("done", status="completed"),
        {name: each for name, each in an_order("advice").items() if name != "orderDetail"},
    )
    keep(database_url, a_patient("far"), an_order("elsewhere", "far"), organisation="township")
    return listener


def asked(step: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    sequence = [as_data_set(STEP | (step or {}))]
    named = {"PatientName": "", "PatientID": "", "AccessionNumber": "", "StudyInstanceUID": ""}
    return named | keys | {"ScheduledProcedureStepSequence": sequence}


def accessions(found: list[Dataset]) -> list[str]:
    return [each.AccessionNumber for each in found]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (asked(), ["A-ct-today", "A-mr-today", "A-ct-moved"]),
        (asked({"Modality": "CT"}), ["A-ct-today", "A-ct-moved"]),
        (asked({"ScheduledStationAETitle": "MR1"}), ["A-mr-today"]),
        (asked({"ScheduledProcedureStepStartDate": "20261125"}), ["A-ct-today", "A-mr-today"]),
        (asked({"ScheduledProcedureStepStartDate": "20261126-20261130"}), ["A-ct-moved"]),
        (
            asked({"Modality": "CT", "ScheduledProcedureStepStartDate": "20261125-20261125",
                   "ScheduledProcedureStepStartTime": "090000-100000"}),
            ["A-ct-today"],
        ),
        (asked(PatientName="wang*"), ["A-mr-today", "A-ct-moved"]),
        (asked(PatientName="李*", SpecificCharacterSet="GB18030"), ["A-ct-today"]),
        (asked(PatientID="MR-wei"), ["A-ct-today"]),
        (asked(AccessionNumber="A-ct-m*"), ["A-ct-moved"]),
        (asked(PatientID="MR-far"), []),
    ],
    ids=[
        "nothing", "modality", "station", "day", "days", "day and time", "name",
        "name in another script", "number", "accession", "number at another hospital",
    ],
)  # fmt: skip
def test_a_station_finds_its_work_by(
    department: Listener, keys: dict[str, Any], expected: list[str]
) -> None:
    found = matches(department, MODALITY_WORKLIST, keys, caller="MODALITY")
    assert sorted(accessions(found)) == sorted(expected)


def test_an_item_says_who_what_and_when(department: Listener) -> None:
    (item,) = matches(
        department,
        MODALITY_WORKLIST,
        asked(
            PatientID="MR-wei", PatientBirthDate="", PatientSex="", IssuerOfPatientID="",
            RequestedProcedureDescription="", RequestedProcedurePriority="",
            RequestedProcedureID="",
        ),
        caller="MODALITY",
    )  # fmt: skip
    (step,) = item.ScheduledProcedureStepSequence
    assert str(item.PatientName) == "Li^Wei=李^伟"
    assert (item.PatientBirthDate, item.PatientSex) == ("19700503", "M")
    assert item.IssuerOfPatientID == "County"
    assert item.StudyInstanceUID.startswith("2.25.")
    assert item.RequestedProcedureDescription == "CT thorax"
    assert item.RequestedProcedurePriority == "HIGH"
    assert (step.Modality, step.ScheduledStationAETitle) == ("CT", "CT1")
    assert step.ScheduledProcedureStepStartDate == "20261125"
    assert step.ScheduledProcedureStepStartTime == "093000"
    assert step.ScheduledProcedureStepID == "A-ct-today"


def test_soonest_work_comes_first(department: Listener) -> None:
    found = matches(department, MODALITY_WORKLIST, asked(), caller="MODALITY")
    assert accessions(found)[-1] == "A-ct-moved"


def test_another_hospital_has_another_worklist(department: Listener) -> None:
    found = matches(department, MODALITY_WORKLIST, asked(), caller="TOWNSHIP")
    assert accessions(found) == ["A-elsewhere"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_date_that_is_none_is_refused(department: Listener) -> None:
    keys = asked({"ScheduledProcedureStepStartDate": "tomorrow"})
    assert find(department, MODALITY_WORKLIST, keys, caller="MODALITY")[-1][0] == 0xA900


def test_a_workstation_gets_no_worklist(department: Listener) -> None:
    answers = find(department, MODALITY_WORKLIST, asked(), caller="STATION")
    assert [status for status, _ in answers] == [reasons.NOT_AUTHORISED]


def test_dcmtk_reads_the_worklist(department: Listener, tmp_path: Path) -> None:
    answer = run(
        "findscu", "-W", "-aet", "MODALITY", "-aec", "SERAI", "-X",
        "-k", "PatientName", "-k", "AccessionNumber",
        "-k", "(0040,0100)[0].Modality=MR", "127.0.0.1", str(department.port),
        cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert b"A-mr-today" in (tmp_path / "rsp0001.dcm").read_bytes()
    assert not (tmp_path / "rsp0002.dcm").exists()


FOUND_BY_INDEX = [
    (asked({"ScheduledProcedureStepStartDate": "20261120"}), ["A-unplanned"]),
    (asked({"ScheduledProcedureStepStartDate": "-20261121"}), ["A-unplanned"]),
    (asked({"ScheduledProcedureStepStartDate": "20261127-"}), ["A-ct-moved"]),
    (asked(AccessionNumber="A-ct-moved"), ["A-ct-moved"]),
    (asked(AccessionNumber="A-another,A|B$C"), ["A-another,A|B$C"]),
    (asked(AccessionNumber="A-very-long-acce"), ["A-very-long-acce"]),
    (asked(StudyInstanceUID="1.2.840.77"), ["A-named"]),
    (asked({"ScheduledProcedureStepStartDate": "20261125"}, PatientID="MR-fang"),
     ["A-mr-today"]),
    (asked(PatientID="nameless"), ["A-of-nameless"]),
    (asked({"ScheduledStationAETitle": "CT9"}), ["A-by-visit"]),
]  # fmt: skip


def test_orders_are_found_by_index_as_they_are_by_looking_at_each(
    department: Listener, database_url: str
) -> None:
    written = {"occurrenceDateTime": None, "authoredOn": "2026-11-20"}
    uid = {"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.77"}
    named = an_order("named")
    (number,) = named["identifier"]
    nobodys = {name: each for name, each in a_patient("nameless").items() if name != "identifier"}
    keep(
        database_url,
        nobodys,
        {k: v for k, v in (an_order("unplanned") | written).items() if v},
        an_order("odd", identifier=[number | {"value": "A-another,A|B$C"}]),
        an_order("long", identifier=[number | {"value": "A-very-long-accession"}]),
        named | {"identifier": [number, uid]},
        an_order("of-nameless", "nameless"),
        an_order("by-visit"),
        {
            "resourceType": "Appointment",
            "id": "second-visit",
            "status": "booked",
            "basedOn": [{"reference": "ServiceRequest/by-visit"}],
            "start": "2026-11-25T11:00:00+08:00",
            "participant": [
                {"actor": {"identifier": {"system": AE, "value": "CT9"}}, "status": "accepted"}
            ],
        },
    )
    for keys, expected in FOUND_BY_INDEX:
        found = matches(department, MODALITY_WORKLIST, keys, caller="MODALITY")
        assert sorted(accessions(found)) == sorted(expected), keys


def test_a_query_for_everything_is_answered_in_portions(
    department: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serai.imaging.dimse.scheduled.IDS_AT_ONCE", 2)
    found = matches(department, MODALITY_WORKLIST, asked(PatientName="*"), caller="MODALITY")
    assert sorted(accessions(found)) == ["A-ct-moved", "A-ct-today", "A-mr-today"]
