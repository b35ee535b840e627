"""What was acknowledged is there, and nothing is half there, whatever dies while pictures come."""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from tests.serving.conftest import (
    Place,
    Serve,
    Server,
    database_processes,
    eventually,
    free_port,
    processes,
)
from tests.serving.sending import (
    LARGE,
    Device,
    Modality,
    Uploader,
    browsing,
    counted,
    here,
    known_to,
    listed,
)

pytestmark = [
    pytest.mark.timeout(180),
    # pynetdicom's client leaves the socket of a connection that was refused.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

GONE_S = 10.0


@pytest.fixture
def place(used_place: Place, caplog: pytest.LogCaptureFixture) -> Place:
    # What pynetdicom logs of a refused connection would hold its socket until another test runs.
    caplog.set_level(logging.CRITICAL + 1, logger="pynetdicom")
    return replace(used_place, port=free_port(), dimse_port=free_port())


def new_study() -> str:
    return f"1.2.3.{uuid4().int >> 64}"


@contextmanager
def sending(place: Place, token: str) -> Iterator[list[Device]]:
    """Small and large pictures, by both ways, until the end of the block."""
    devices = [
        Modality(place, new_study()),
        Modality(place, new_study(), **LARGE),
        Uploader(place, new_study(), token),
    ]
    for device in devices:
        device.start()
    try:
        yield devices
    finally:
        for device in devices:
            device.stop.set()
        for device in devices:
            device.join(40)
        # The sockets go here, and not in whatever test comes next.
        gc.collect()


def study_of(device: Device) -> str:
    return next(iter(device.log.sent))[0]


def all_is_whole(client: httpx.Client, device: Device) -> None:
    """Everything acknowledged is there, and whatever is there is as it was sent."""
    study, log = study_of(device), device.log
    eventually(lambda: counted(client, study) == len(listed(client, study)))
    found = listed(client, study)
    assert log.acknowledged.keys() <= found <= log.sent.keys()
    assert {each: here(client, each) for each in found} == {each: log.sent[each] for each in found}


def begun(devices: Sequence[Device], each: int) -> bool:
    return all(len(device.log.acknowledged) >= each for device in devices)


def grown(devices: Sequence[Device], before: Sequence[int], by: int) -> bool:
    pairs = zip(devices, before, strict=True)
    return all(len(device.log.acknowledged) >= then + by for device, then in pairs)


def family(server: Server, home_of_database: set[int]) -> set[int]:
    """The server's processes and the database's."""
    parents = {pid: parent for pid, parent, _ in processes()}
    heads = {server.process.pid, *home_of_database}
    return heads | {pid for pid, parent in parents.items() if parent in heads}


def known_sender(place: Place) -> str:
    """A token for uploads; the modality is known to the running server."""
    known_to(place)
    return place.serai("token", "--scope", "system/*.cruds").stdout.strip()


def all_are_whole(place: Place, token: str, devices: Sequence[Device]) -> None:
    with browsing(place, token) as client:
        for device in devices:
            all_is_whole(client, device)


def test_kill_9_of_everything_while_pictures_come(place: Place, serve: Serve) -> None:
    server = serve(place)
    token = known_sender(place)
    with sending(place, token) as devices:
        eventually(lambda: begun(devices, 6), server)
        for pid in family(server, database_processes(place.home)):
            # A part may go with its supervisor before its turn comes.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.process.wait()
    serve(place)
    all_are_whole(place, token, devices)


def test_the_listener_alone_is_killed_while_pictures_come(place: Place, serve: Serve) -> None:
    server = serve(place)
    token = known_sender(place)
    with sending(place, token) as devices:
        eventually(lambda: begun(devices, 4), server)
        (listener,) = server.children("serai.serving.part dicom")
        os.kill(listener, signal.SIGKILL)
        before = [len(device.log.acknowledged) for device in devices]
        eventually(lambda: grown(devices, before, 3), server)
    all_are_whole(place, token, devices)


def test_the_database_is_gone_for_ten_seconds_while_pictures_come(
    place: Place, serve: Serve
) -> None:
    server = serve(place)
    token = known_sender(place)
    with sending(place, token) as devices:
        eventually(lambda: begun(devices, 3), server)
        (database,) = database_processes(place.home)
        frozen = {database} | {pid for pid, parent, _ in processes() if parent == database}
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        before = [len(device.log.acknowledged) for device in devices]
        time.sleep(GONE_S)
        # What had been written when it froze may still have been acknowledged.
        assert not grown(devices, before, 4)
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        eventually(lambda: grown(devices, before, 4), server)
    all_are_whole(place, token, devices)
