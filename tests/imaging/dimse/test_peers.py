from __future__ import annotations

import socket
import struct
import time
from pathlib import Path

import psycopg
import pytest
from tests.imaging.dimse.calling import associated, run, send
from tests.imaging.objects import a_picture

from serai.imaging import reasons
from serai.imaging.dimse import Listener, sockets
from serai.imaging.dimse.peers import Service, calling_peer, peers_of
from serai.network.plan import DICOM_SERVICES, Modality
from serai.platform.db import Database

VERIFICATION = "1.2.840.10008.1.1"


@pytest.mark.parametrize(
    ("address", "caller", "known"),
    [
        (None, "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.4", False),
        ("192.0.2.1, 10.1.0.0/16", "10.1.2.3", True),
        ("10.1.0.0/16", "10.2.0.1", False),
        ("localhost", "127.0.0.1", True),
        ("localhost", "10.1.2.3", False),
        ("no-such-host.invalid", "10.1.2.3", False),
        ("2001:db8::/32", "2001:db8::7", True),
    ],
)
async def test_a_device_is_known_only_where_it_stands(
    db: Database, address: str | None, caller: str, known: bool
) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO dimse_peer (ae_title, address) VALUES ('CT1', %s)", (address,)
        )
        peer = await calling_peer(tx, "CT1", caller)
    assert (peer is not None) is known


def test_a_stranger_is_refused_and_the_attempt_audited(
    listener: Listener, database_url: str
) -> None:
    answer = run("echoscu", "-aet", "STRANGER", "-aec", "SERAI", "127.0.0.1", str(listener.port))
    assert "Calling AE Title Not Recognized" in answer.stdout + answer.stderr
    with psycopg.connect(database_url) as connection:
        lines = connection.execute(
            "SELECT actor, actor_name FROM audit_event "
            "WHERE act = 'dicom.associate' AND outcome = 'refused'"
        ).fetchall()
    assert lines == [("dimse:STRANGER", "STRANGER 127.0.0.1")]


def test_a_peer_that_may_not_store_is_told_so(listener: Listener, database_url: str) -> None:
    assert send(listener, a_picture(), caller="STATION") == [reasons.NOT_AUTHORISED]
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM imaging_instance").fetchone() == (0,)


def test_a_sender_that_falls_silent_in_a_message_is_let_go(
    listener: Listener, hung_up: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "WHOLE_PDU_S", 0.5)
    silent = socket.create_connection(("127.0.0.1", listener.port))
    hung_up.append(silent)
    silent.sendall(struct.pack(">BBL", 1, 0, 200) + bytes(20))
    silent.settimeout(10)
    assert silent.recv(100) == b""


def test_a_message_of_four_gigabytes_is_not_waited_for(
    listener: Listener, hung_up: list[socket.socket]
) -> None:
    liar = socket.create_connection(("127.0.0.1", listener.port))
    hung_up.append(liar)
    liar.sendall(struct.pack(">BBL", 1, 0, 0xFFFFFFF0))
    liar.settimeout(10)
    assert liar.recv(100) == b""


def test_silent_connections_do_not_keep_others_out(
    listener: Listener, hung_up: list[socket.socket]
) -> None:
    address = ("127.0.0.1", listener.port)
    hung_up.extend(socket.create_connection(address) for _ in range(40))
    with associated(listener, "MODALITY", VERIFICATION) as association:
        assert association.send_c_echo().Status == 0


def test_an_unmodified_sender_is_not_held_up(listener: Listener, tmp_path: Path) -> None:
    """Debian's dcmtk leaves Nagle's algorithm on: 40 ms for each object if nobody minds."""
    folder = tmp_path / "sent"
    folder.mkdir()
    for number in range(60):
        content = a_picture(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1")
        (folder / f"{number}.dcm").write_bytes(content)
    began = time.monotonic()
    result = run(
        "storescu", "-aet", "MODALITY", "-aec", "SERAI", "+sd", "127.0.0.1", str(listener.port),
        folder,
    )  # fmt: skip
    took = time.monotonic() - began
    assert result.returncode == 0, result.stderr
    assert took < 60 * 0.040


def test_a_network_file_can_name_every_service() -> None:
    assert set(DICOM_SERVICES) == set(Service)


def test_a_device_of_a_network_file_works_as_a_modality_unless_told_otherwise() -> None:
    told = ("find", "retrieve")
    plain, station = peers_of(
        [
            Modality("county", "CT1", "10.0.0.5", 104),
            Modality("county", "STATION", "10.0.0.6", None, told),
        ]
    )
    assert plain.services == {"store", "worklist", "mpps", "commitment"}
    assert (plain.host, plain.port) == ("10.0.0.5", 104)
    assert station.services == {"find", "retrieve"}
