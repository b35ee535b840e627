from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import SecondaryCaptureImageStorage
from tests.imaging.objects import a_picture

from serai.imaging import reasons
from serai.imaging.dimse import Listener
from serai.kernel.errors import Unavailable
from serai.platform.settings import Settings


@pytest.fixture
def listener(database_url: str, tmp_path: Path) -> Iterator[Listener]:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO dimse_peer (ae_title, organisation, address) VALUES "
            "('STORESCU', 'county', NULL), ('ECHOSCU', 'county', NULL), "
            "('FARAWAY', 'county', '192.0.2.1'), ('TOWNSHIP', 'township', NULL)"
        )
    with Listener(Settings(home=tmp_path / "home", dimse_port=0), database_url) as started:
        yield started


def echo(listener: Listener, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["echoscu", *options, "127.0.0.1", str(listener.port)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def store(listener: Listener, *files: Path, caller: str = "STORESCU") -> list[int]:
    """The status of each C-STORE, as pynetdicom's own client sees it."""
    entity = AE(caller)
    entity.add_requested_context(SecondaryCaptureImageStorage)
    association = entity.associate("127.0.0.1", listener.port, ae_title="SERAI")
    assert association.is_established
    statuses = [association.send_c_store(dcmread(file)).Status for file in files]
    association.release()
    return statuses


def a_file(folder: Path, **attributes: object) -> Path:
    path = folder / f"{len(os.listdir(folder))}.dcm"  # noqa: PTH208
    path.write_bytes(a_picture(**attributes))
    return path


def studies(database_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT uid, owner, instances, settled FROM imaging_study ORDER BY uid"
        ).fetchall()


def _soon(holds: Callable[[], bool]) -> bool:
    """The end of an association is settled a moment after the sender has hung up."""
    deadline = time.monotonic() + 10
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_known_device_is_answered(listener: Listener) -> None:
    assert echo(listener, "-aec", "SERAI").returncode == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-aec", "SERAI", "-aet", "STRANGER"), "Calling AE Title Not Recognized"),
        (("-aec", "SERAI", "-aet", "FARAWAY"), "Calling AE Title Not Recognized"),
        (("-aec", "ELSEWHERE"), "Called AE Title Not Recognized"),
    ],
)
def test_strangers_are_turned_away(
    listener: Listener, options: tuple[str, ...], reason: str
) -> None:
    answer = echo(listener, *options)
    assert answer.returncode != 0
    assert reason in answer.stdout + answer.stderr


def test_objects_belong_to_the_organisation_of_the_device(
    listener: Listener, database_url: str, tmp_path: Path
) -> None:
    sent = [a_file(tmp_path, StudyInstanceUID="1.2.3") for _ in range(3)]
    result = subprocess.run(
        ["storescu", "-aec", "SERAI", "127.0.0.1", str(listener.port), *map(str, sent)],
        check=False,
    )
    assert result.returncode == 0
    assert _soon(lambda: studies(database_url) == [("1.2.3", "county", 3, True)])


def test_refusals_carry_their_reason(listener: Listener, database_url: str, tmp_path: Path) -> None:
    first = a_file(tmp_path, SOPInstanceUID="1.2.3.4", StudyInstanceUID="1.2.3")
    other = a_file(
        tmp_path, SOPInstanceUID="1.2.3.4", StudyInstanceUID="1.2.3", PixelData=bytes(64)
    )
    someone = a_file(tmp_path, StudyInstanceUID="1.2.3", PatientID="P2")
    assert store(listener, first, first, other, someone) == [
        0x0000,
        0x0000,
        reasons.DUPLICATE_INSTANCE,
        reasons.DOES_NOT_MATCH,
    ]
    assert store(listener, a_file(tmp_path, StudyInstanceUID="1.2.3"), caller="TOWNSHIP") == [
        reasons.NOT_AUTHORISED
    ]
    assert [study[:3] for study in studies(database_url)] == [("1.2.3", "county", 1)]


def test_two_listeners_cannot_share_a_port(
    listener: Listener, database_url: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "second", dimse_port=listener.port)
    with pytest.raises(Unavailable, match=r"dimse\.port-taken"), Listener(settings, database_url):
        pass
