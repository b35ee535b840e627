from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)
from pynetdicom import build_context, build_role, evt
from pynetdicom.sop_class import SecondaryCaptureImageStorage
from tests.imaging.dimse.calling import as_data_set, associated, receiving, run, send
from tests.imaging.objects import a_picture, as_part10

from serai.imaging import reasons
from serai.imaging.dataset.part10 import data_set_start
from serai.imaging.dimse import Listener
from serai.imaging.dimse.retrieving import PATIENT_ROOT_GET, STUDY_ROOT_GET, STUDY_ROOT_MOVE

STUDY = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.3"}


def pictures(number: int = 3, **attributes: Any) -> list[bytes]:
    given = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1"} | attributes
    return [
        a_picture(SOPInstanceUID=f"1.2.3.1.{each}", InstanceNumber=each, **given)
        for each in range(number)
    ]


def in_rle(content: bytes) -> bytes:
    data_set = dcmread(BytesIO(content))
    data_set.compress(RLELossless, generate_instance_uid=False)
    return as_part10(data_set, RLELossless)


def data_set_of(content: bytes) -> bytes:
    return content[data_set_start(content) :]


def get(
    listener: Listener,
    keys: dict[str, Any],
    *syntaxes: str,
    model: str = STUDY_ROOT_GET,
    caller: str = "STATION",
    answer: int = 0x0000,
) -> tuple[list[tuple[Dataset, Dataset | None]], list[bytes]]:
    """All responses of a C-GET, and the data sets that came."""
    got: list[bytes] = []

    def keep(event: evt.Event) -> int:
        got.append(event.request.DataSet.getvalue())
        return answer

    contexts = [
        build_context(SecondaryCaptureImageStorage, syntax)
        for syntax in syntaxes or [ExplicitVRLittleEndian]
    ]
    role = build_role(SecondaryCaptureImageStorage, scp_role=True)
    with associated(
        listener,
        caller,
        model,
        *contexts,
        ext_neg=[role],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    ) as association:
        return list(association.send_c_get(as_data_set(keys), model)), got


def move(
    listener: Listener, keys: dict[str, Any], to: str, caller: str = "STATION"
) -> list[tuple[Dataset, Dataset | None]]:
    with associated(listener, caller, STUDY_ROOT_MOVE) as association:
        return list(association.send_c_move(as_data_set(keys), to, STUDY_ROOT_MOVE))


def counts(status: Dataset) -> tuple[int, int, int]:
    return (
        status.NumberOfCompletedSuboperations,
        status.NumberOfFailedSuboperations,
        status.NumberOfWarningSuboperations,
    )


def test_a_workstation_gets_the_bytes_that_were_sent(listener: Listener) -> None:
    sent = pictures()
    send(listener, *sent)
    responses, got = get(listener, STUDY)
    assert got == [data_set_of(content) for content in sent]
    assert [status.Status for status, _ in responses] == [0xFF00, 0xFF00, 0x0000]
    assert counts(responses[-1][0]) == (3, 0, 0)


@pytest.mark.parametrize(
    ("keys", "model"),
    [
        ({"QueryRetrieveLevel": "PATIENT", "PatientID": "P1"}, PATIENT_ROOT_GET),
        (
            {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": "1.2.3",
             "SeriesInstanceUID": ["1.2.3.1", "9.9"]},
            STUDY_ROOT_GET,
        ),
        (
            {"QueryRetrieveLevel": "IMAGE", "PatientID": "P1", "StudyInstanceUID": "1.2.3",
             "SeriesInstanceUID": "1.2.3.1",
             "SOPInstanceUID": ["1.2.3.1.0", "1.2.3.1.1", "1.2.3.1.2"]},
            PATIENT_ROOT_GET,
        ),
    ],
    ids=["patient", "series", "images"],
)  # fmt: skip
def test_pictures_are_got_by(listener: Listener, keys: dict[str, Any], model: str) -> None:
    send(listener, *pictures())
    responses, got = get(listener, keys, model=model)
    assert counts(responses[-1][0]) == (3, 0, 0)
    assert len(got) == 3


def test_compressed_pictures_go_out_as_they_came_in(listener: Listener) -> None:
    (sent,) = (in_rle(content) for content in pictures(1))
    send(listener, sent)
    _, got = get(listener, STUDY, ExplicitVRLittleEndian, RLELossless)
    assert got == [data_set_of(sent)]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_who_cannot_read_the_compression_gets_plain_pixels(listener: Listener, syntax: str) -> None:
    (plain,) = pictures(1)
    send(listener, in_rle(plain))
    responses, (got,) = get(listener, STUDY, syntax)
    assert counts(responses[-1][0]) == (1, 0, 0)
    assert dcmread(BytesIO(plain)).PixelData in got


def test_what_nobody_can_turn_into_their_syntax_is_reported_as_failed(listener: Listener) -> None:
    send(listener, *pictures(1))
    responses, got = get(listener, STUDY, JPEGBaseline8Bit)
    (status, failed) = responses[-1]
    assert status.Status == 0xA702
    assert counts(status) == (0, 1, 0)
    assert failed is not None
    assert failed.FailedSOPInstanceUIDList == "1.2.3.1.0"
    assert got == []


def test_a_receiver_that_refuses_is_counted(listener: Listener) -> None:
    send(listener, *pictures(2))
    responses, _ = get(listener, STUDY, answer=0xA700)
    assert responses[-1][0].Status == 0xA702
    assert counts(responses[-1][0]) == (0, 2, 0)


def test_a_study_moves_to_a_known_receiver(
    listener: Listener, receiver_port: int, database_url: str
) -> None:
    sent = pictures()
    send(listener, *sent)
    with receiving(receiver_port) as got:
        responses = move(listener, STUDY, "RECEIVER")
    assert [status.Status for status, _ in responses] == [0xFF00, 0xFF00, 0x0000]
    assert counts(responses[-1][0]) == (3, 0, 0)
    assert [hashlib.sha256(each).digest() for each in got] == [
        hashlib.sha256(data_set_of(each)).digest() for each in sent
    ]
    with psycopg.connect(database_url) as connection:
        (line,) = connection.execute(
            "SELECT actor, organisation FROM audit_event WHERE act = 'dicom.move'"
        ).fetchall()
    assert line == ("dimse:STATION", "county")


@pytest.mark.parametrize("to", ["NOBODY", "STATION"])
def test_nothing_moves_to_where_nobody_is_known_to_listen(listener: Listener, to: str) -> None:
    send(listener, *pictures(1))
    ((status, _),) = move(listener, STUDY, to)
    assert status.Status == 0xA801


def test_nothing_moves_to_an_organisation_that_may_not_see_it(
    listener: Listener, receiver_port: int
) -> None:
    send(listener, *pictures(2))
    with receiving(receiver_port, "TWNRECEIVER") as got:
        responses = move(listener, STUDY, "TWNRECEIVER")
    assert responses[-1][0].Status == 0xA702
    assert counts(responses[-1][0]) == (0, 2, 0)
    assert got == []


# pynetdicom leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_receiver_that_does_not_answer_is_reported(listener: Listener) -> None:
    send(listener, *pictures(1))
    responses = move(listener, STUDY, "SILENT")
    assert responses[-1][0].Status == 0xA702
    assert counts(responses[-1][0]) == (0, 1, 0)


def test_what_another_organisation_keeps_is_not_there(listener: Listener) -> None:
    send(listener, *pictures(1))
    responses, got = get(listener, STUDY, caller="TOWNSHIP")
    assert responses[-1][0].Status == 0x0000
    assert counts(responses[-1][0]) == (0, 0, 0)
    assert got == []


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(
    "keys",
    [
        {"StudyInstanceUID": "1.2.3"},
        {"QueryRetrieveLevel": "STUDY"},
        {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "*"},
        {"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": "1.2.3.1"},
        {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": ["1.2", "1.3"],
         "SeriesInstanceUID": "1.2.3.1"},
    ],
    ids=str,
)  # fmt: skip
def test_a_retrieval_without_its_unique_keys_is_refused(
    listener: Listener, keys: dict[str, Any]
) -> None:
    responses, _ = get(listener, keys)
    assert responses[-1][0].Status == reasons.DOES_NOT_MATCH


def test_dcmtk_gets_and_moves_a_study(
    listener: Listener, receiver_port: int, tmp_path: Path
) -> None:
    sent = pictures()
    send(listener, *sent)
    asked = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.3")
    called = ("-aet", "STATION", "-aec", "SERAI")
    here = ("127.0.0.1", str(listener.port))
    got = run("getscu", "-B", *called, *asked, "-od", tmp_path, *here)
    assert got.returncode == 0, got.stderr
    assert sorted(data_set_of(each.read_bytes()) for each in tmp_path.glob("SC*")) == sorted(
        data_set_of(each) for each in sent
    )
    with receiving(receiver_port) as moved:
        answer = run("movescu", *called, "-aem", "RECEIVER", *asked, *here)
    assert answer.returncode == 0, answer.stderr
    assert len(moved) == 3
