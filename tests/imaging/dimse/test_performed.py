from __future__ import annotations

from typing import Any

import psycopg
import pytest
from pydicom.dataset import Dataset
from tests.imaging.dimse.calling import as_data_set, associated, matches
from tests.imaging.dimse.orders import a_patient, an_order, found, keep
from tests.imaging.dimse.test_worklist import asked

from serai.imaging import reasons
from serai.imaging.dimse import Listener
from serai.imaging.dimse.performed import PERFORMED_STEP
from serai.imaging.dimse.worklist import MODALITY_WORKLIST


@pytest.fixture
def department(listener: Listener, database_url: str) -> Listener:
    keep(database_url, a_patient(), an_order("ct-today"))
    return listener


def begun(study_uid: str = "", **attributes: Any) -> Dataset:
    scheduled = as_data_set({"StudyInstanceUID": study_uid, "ScheduledProcedureStepID": ""})
    return as_data_set(
        {
            "ScheduledStepAttributesSequence": [scheduled],
            "PatientID": "MR-wei",
            "PatientName": "Li^Wei",
            "PerformedProcedureStepID": "PPS1",
            "PerformedProcedureStepStartDate": "20261125",
            "PerformedProcedureStepStartTime": "093500",
            "PerformedProcedureStepStatus": "IN PROGRESS",
            "PerformedProcedureStepDescription": "CT thorax",
            "Modality": "CT",
        }
        | attributes
    )


def ended(status: str) -> Dataset:
    return as_data_set(
        {
            "PerformedProcedureStepStatus": status,
            "PerformedProcedureStepEndDate": "20261125",
            "PerformedProcedureStepEndTime": "094500",
        }
    )


def create(listener: Listener, told: Dataset, uid: str = "1.9.1", caller: str = "MODALITY") -> int:
    with associated(listener, caller, PERFORMED_STEP) as association:
        status, _ = association.send_n_create(told, PERFORMED_STEP, uid)
    return int(status.Status)


def change(listener: Listener, told: Dataset, uid: str = "1.9.1", caller: str = "MODALITY") -> int:
    with associated(listener, caller, PERFORMED_STEP) as association:
        status, _ = association.send_n_set(told, PERFORMED_STEP, uid)
    return int(status.Status)


def scheduled_uid(listener: Listener) -> str:
    (item,) = matches(listener, MODALITY_WORKLIST, asked(), caller="MODALITY")
    return str(item.StudyInstanceUID)


def test_a_completed_step_completes_its_order(department: Listener, database_url: str) -> None:
    assert create(department, begun(scheduled_uid(department))) == 0
    (procedure,) = found(database_url, "Procedure")
    assert procedure["status"] == "in-progress"
    assert procedure["basedOn"] == [{"reference": "ServiceRequest/ct-today"}]
    assert procedure["subject"]["reference"] == "Patient/wei"
    assert change(department, ended("COMPLETED")) == 0
    (procedure,) = found(database_url, "Procedure")
    assert procedure["status"] == "completed"
    assert procedure["performedPeriod"] == {"start": "2026-11-25", "end": "2026-11-25"}
    (order,) = found(database_url, "ServiceRequest")
    assert order["status"] == "completed"
    assert matches(department, MODALITY_WORKLIST, asked(), caller="MODALITY") == []
    with psycopg.connect(database_url) as connection:
        lines = connection.execute(
            "SELECT act, actor FROM audit_event WHERE act LIKE 'dicom.mpps%' ORDER BY at"
        ).fetchall()
    assert lines == [
        ("dicom.mpps-create", "dimse:MODALITY"),
        ("dicom.mpps-set", "dimse:MODALITY"),
    ]


def test_a_step_broken_off_leaves_the_order_to_be_done(
    department: Listener, database_url: str
) -> None:
    create(department, begun(scheduled_uid(department)))
    assert change(department, ended("DISCONTINUED")) == 0
    (procedure,) = found(database_url, "Procedure")
    (order,) = found(database_url, "ServiceRequest")
    assert (procedure["status"], order["status"]) == ("stopped", "active")


def test_work_that_nobody_scheduled_is_kept_too(department: Listener, database_url: str) -> None:
    assert create(department, begun("1.2.3.4")) == 0
    (procedure,) = found(database_url, "Procedure")
    assert "basedOn" not in procedure
    assert procedure["subject"]["identifier"]["value"] == "MR-wei"


def test_what_has_ended_is_never_changed_again(department: Listener) -> None:
    create(department, begun())
    assert change(department, ended("COMPLETED")) == 0
    assert change(department, ended("DISCONTINUED")) == reasons.PROCESSING_FAILURE


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"PerformedProcedureStepStatus": "COMPLETED"}, reasons.INVALID_VALUE),
        ({"Modality": ""}, reasons.MISSING_ATTRIBUTE),
        ({"ScheduledStepAttributesSequence": []}, reasons.MISSING_ATTRIBUTE),
    ],
    ids=str,
)
def test_a_step_begun_wrongly_is_refused(
    department: Listener, database_url: str, told: dict[str, Any], status: int
) -> None:
    assert create(department, begun(**told)) == status
    assert found(database_url, "Procedure") == []


def test_a_step_is_begun_once(department: Listener) -> None:
    assert create(department, begun()) == 0
    assert create(department, begun()) == reasons.DUPLICATE_INSTANCE


def test_nobody_ends_what_another_hospital_has_begun(department: Listener) -> None:
    create(department, begun())
    refused = change(department, ended("COMPLETED"), caller="TOWNSHIP")
    assert refused == reasons.NO_SUCH_INSTANCE


def test_a_status_nobody_knows_is_refused(department: Listener) -> None:
    create(department, begun())
    assert change(department, ended("PAUSED")) == reasons.INVALID_VALUE
