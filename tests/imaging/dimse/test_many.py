"""Many devices at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
from tests.imaging.dimse.calling import associated, send, soon
from tests.imaging.objects import a_picture

from serai.imaging.dimse import Listener
from serai.imaging.dimse.listener import MAX_ASSOCIATIONS


def test_two_hundred_associations_are_promised() -> None:
    assert MAX_ASSOCIATIONS >= 200


def test_many_devices_send_parts_of_one_study_at_once(
    listener: Listener, database_url: str
) -> None:
    def sent(device: int) -> list[int]:
        series = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": f"1.2.3.{device}"}
        return send(listener, *(a_picture(**series) for _ in range(3)))

    with ThreadPoolExecutor(12) as devices:
        statuses = list(devices.map(sent, range(12)))
    assert statuses == [[0, 0, 0]] * 12

    def settled() -> bool:
        with psycopg.connect(database_url) as connection:
            row = connection.execute(
                "SELECT instances, series, settled FROM imaging_study"
            ).fetchone()
        return row == (36, 12, True)

    assert soon(settled)


def test_idle_associations_do_not_keep_others_waiting(listener: Listener) -> None:
    verification = "1.2.840.10008.1.1"
    with (
        associated(listener, "MODALITY", verification),
        associated(listener, "MODALITY", verification),
        associated(listener, "STATION", verification),
    ):
        assert send(listener, a_picture()) == [0]
