"""A listener on a real port, devices that may call it, and pynetdicom's client to call with."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.imaging.dimse.calling import free_port

from serai.imaging.dimse import Listener
from serai.platform.settings import Settings

MODALITY = "{store,worklist,mpps,commitment}"
WORKSTATION = "{find,retrieve}"


@pytest.fixture
def receiver_port() -> int:
    return free_port()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def listener(database_url: str, home: Path, receiver_port: int) -> Iterator[Listener]:
    """The county hospital's modality and workstation, the township's, and a viewer of nobody's."""
    peers = [
        ("MODALITY", "county", None, MODALITY, None, None),
        ("STATION", "county", None, WORKSTATION, None, None),
        ("TOWNSHIP", "township", None, "{store,find,retrieve,mpps,worklist}", None, None),
        ("FARAWAY", "county", "192.0.2.1,198.51.100.0/24", MODALITY, None, None),
        ("RECEIVER", "county", None, "{}", "127.0.0.1", receiver_port),
        ("TWNRECEIVER", "township", None, "{}", "127.0.0.1", receiver_port),
        ("SILENT", "county", None, "{}", "127.0.0.1", free_port()),
    ]
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO dimse_peer (ae_title, organisation, address, services, host, port) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            peers,
        )
    with Listener(Settings(home=home, dimse_port=0), database_url) as started:
        yield started


@pytest.fixture
def hung_up() -> Iterator[list[socket.socket]]:
    """Sockets that a test leaves open, closed after it."""
    opened: list[socket.socket] = []
    yield opened
    for each in opened:
        each.close()
