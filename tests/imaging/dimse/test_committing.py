from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from tests.imaging.dimse.calling import as_data_set, associated, send, soon
from tests.imaging.objects import a_picture

from serai.imaging.dimse import Listener
from serai.imaging.dimse.committing import INSTANCE, STORAGE_COMMITMENT

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


class Reports:
    """What the modality was told."""

    def __init__(self) -> None:
        self.got: list[tuple[int, Dataset]] = []

    def note(self, event: evt.Event) -> tuple[int, None]:
        self.got.append((event.event_type, event.event_information))
        return 0x0000, None

    @property
    def handlers(self) -> list[Any]:
        return [(evt.EVT_N_EVENT_REPORT, self.note)]


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def modality(receiver_port: int, reports: Reports, database_url: str) -> Iterator[None]:
    """The modality listens for reports that come on an association of their own."""
    entity = AE("MODALITY")
    entity.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", receiver_port), block=False, evt_handlers=reports.handlers
    )
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE dimse_peer SET host = '127.0.0.1', port = %s WHERE ae_title = 'MODALITY'",
            (receiver_port,),
        )
    yield
    server.shutdown()


def reference(uid: str, sop_class: str = SECONDARY_CAPTURE) -> Dataset:
    return as_data_set({"ReferencedSOPClassUID": sop_class, "ReferencedSOPInstanceUID": uid})


def asked(*references: Dataset) -> Dataset:
    return as_data_set({"TransactionUID": "1.7.7", "ReferencedSOPSequence": list(references)})


def request(
    listener: Listener, action: Dataset, reports: Reports, caller: str = "MODALITY", type: int = 1
) -> int:
    """Ask, and stay on the association until told, for a while."""
    with associated(
        listener, caller, STORAGE_COMMITMENT, evt_handlers=reports.handlers
    ) as association:
        status, _ = association.send_n_action(action, type, STORAGE_COMMITMENT, INSTANCE)
        if status.Status == 0:
            assert soon(lambda: bool(reports.got))
    return int(status.Status)


def failures(report: Dataset) -> list[tuple[str, int]]:
    return [
        (each.ReferencedSOPInstanceUID, each.FailureReason) for each in report.FailedSOPSequence
    ]


def test_what_is_there_and_whole_is_committed_to(listener: Listener, reports: Reports) -> None:
    pictures = [a_picture(SOPInstanceUID=f"1.2.{each}") for each in (1, 2)]
    send(listener, *pictures)
    assert request(listener, asked(reference("1.2.1"), reference("1.2.2")), reports) == 0
    ((kind, report),) = reports.got
    assert kind == 1
    assert report.TransactionUID == "1.7.7"
    assert [each.ReferencedSOPInstanceUID for each in report.ReferencedSOPSequence] == [
        "1.2.1",
        "1.2.2",
    ]
    assert "FailedSOPSequence" not in report


def test_what_is_missing_broken_or_another_class_is_not(
    listener: Listener, reports: Reports, home: Path
) -> None:
    send(listener, *(a_picture(SOPInstanceUID=f"1.2.{each}") for each in (1, 2, 3)))
    for blob in (path for path in (home / "blobs").rglob("*") if path.is_file()):
        if dcmread(BytesIO(blob.read_bytes())).SOPInstanceUID == "1.2.2":
            blob.write_bytes(blob.read_bytes()[:-1] + b"\0")
    action = asked(
        reference("1.2.1"), reference("1.2.2"), reference("1.2.3", "1.2.840.10008.5.1.4.1.1.2"),
        reference("1.2.404"),
    )  # fmt: skip
    assert request(listener, action, reports) == 0
    ((kind, report),) = reports.got
    assert kind == 2
    assert [each.ReferencedSOPInstanceUID for each in report.ReferencedSOPSequence] == ["1.2.1"]
    assert failures(report) == [("1.2.2", 0x0110), ("1.2.3", 0x0119), ("1.2.404", 0x0112)]


def test_a_modality_that_has_hung_up_is_called_back(
    listener: Listener, reports: Reports, modality: None
) -> None:
    send(listener, *(a_picture(SOPInstanceUID=f"1.2.{each}") for each in range(60)))
    action = asked(*(reference(f"1.2.{each}") for each in range(60)))
    with associated(listener, "MODALITY", STORAGE_COMMITMENT) as association:
        status, _ = association.send_n_action(action, 1, STORAGE_COMMITMENT, INSTANCE)
        assert status.Status == 0
    assert soon(lambda: bool(reports.got), 20)
    assert reports.got[0][0] == 1


def test_nothing_of_another_hospital_is_confirmed(
    listener: Listener, reports: Reports, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE dimse_peer SET services = services || '{commitment}'")
    send(listener, a_picture(SOPInstanceUID="1.2.1"))
    request(listener, asked(reference("1.2.1")), reports, caller="TOWNSHIP")
    ((kind, report),) = reports.got
    assert kind == 2
    assert failures(report) == [("1.2.1", 0x0112)]


def test_requests_that_name_nothing_are_refused(listener: Listener, reports: Reports) -> None:
    assert request(listener, asked(), reports) == 0x0120
    assert request(listener, asked(reference("1.2.1")), reports, type=2) == 0x0123
    assert reports.got == []
