"""What a broken or hostile sender says on the wire disturbs nobody else and leaves nothing torn.

The byte stream of a real sender is recorded once, then sent again with bytes changed, cut out,
doubled or put in at any place.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid
from tests.imaging.dimse.calling import associated, free_port, send, soon
from tests.imaging.objects import a_picture

from serai.imaging.archive import receive
from serai.imaging.dimse import Listener
from serai.platform.blob_files import place
from serai.platform.settings import Settings

VERIFICATION = "1.2.840.10008.1.1"
PDU_HEAD = 6


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def listener(own_database: str, home: Path) -> Iterator[Listener]:
    with psycopg.connect(own_database) as connection:
        connection.execute(
            "INSERT INTO dimse_peer (ae_title, organisation, services) "
            "VALUES ('MODALITY', 'county', '{store,find,retrieve,mpps,worklist,commitment}')"
        )
    with Listener(Settings(home=home, dimse_port=0), own_database) as started:
        yield started


@pytest.fixture(scope="module")
def said(listener: Listener) -> bytes:
    """All that a sender of three pictures says, from its request to its release."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", free_port())) as middle:
        port = middle.getsockname()[1]

        def pass_on() -> None:
            sender, _ = middle.accept()
            with sender, socket.create_connection(("127.0.0.1", listener.port)) as receiver:
                back = threading.Thread(target=_copy, args=(receiver, sender, bytearray()))
                back.start()
                _copy(sender, receiver, heard)
                back.join(5)

        passing = threading.Thread(target=pass_on)
        passing.start()
        through = _Through(port)
        assert send(through, *(a_picture(PixelData=bytes(64) * 200, Rows=100, Columns=128)
                               for _ in range(3))) == [0, 0, 0]  # fmt: skip
        passing.join(5)
    return bytes(heard)


class _Through(Listener):
    """The same listener, reached by another port."""

    def __init__(self, port: int) -> None:
        self._port = port

    @property
    def port(self) -> int:
        return self._port


def _copy(source: socket.socket, target: socket.socket, heard: bytearray) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            heard += part
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


# What is done to the stream, where, and with which bytes. Heads of PDUs and commands are at the
# beginning; the middle is mostly pixels.
HARM = st.tuples(
    st.sampled_from(["change", "cut", "put in", "double", "end"]),
    st.one_of(st.integers(0, 700), st.integers(0, 1_000_000)),
    st.binary(min_size=1, max_size=12),
)


def harmed(stream: bytes, kind: str, at: int, given_bytes: bytes) -> bytes:
    at %= len(stream)
    before, behind = stream[:at], stream[at:]
    return {
        "change": before + given_bytes + behind[len(given_bytes) :],
        "cut": before + behind[len(given_bytes) :],
        "put in": before + given_bytes + behind,
        "double": before + behind[:300] + behind,
        "end": before,
    }[kind]


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=st.lists(HARM, min_size=1, max_size=3))
def test_a_harmed_stream_ends_its_own_association_alone(
    listener: Listener, said: bytes, changes: list[tuple[str, int, bytes]]
) -> None:
    stream = said
    for change in changes:
        stream = harmed(stream, *change) or b"\0"
    _say(listener, stream)


def test_afterwards_others_are_served_threads_are_back_and_what_is_kept_is_whole(
    listener: Listener, own_database: str, home: Path
) -> None:
    with associated(listener, "MODALITY", VERIFICATION) as association:
        assert association.send_c_echo().Status == 0
    assert send(listener, a_picture()) == [0]
    assert soon(lambda: not _of_associations(), within_s=20), _of_associations()
    with psycopg.connect(own_database) as connection:
        rows = connection.execute("SELECT uid, blob, size FROM imaging_instance").fetchall()
    assert len(rows) >= 4
    assert soon(lambda: all((home / "blobs" / place(blob)).exists() for _, blob, _ in rows))
    for uid, blob, size in rows:
        content = (home / "blobs" / place(blob)).read_bytes()
        assert (receive(content).instance.uid, len(content)) == (uid, size)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: serai\r\n\r\n", id="a browser"),
        pytest.param(
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), id="a TLS hello"
        ),
        pytest.param(b"\x01\x00\xff\xff\xff\xff", id="a request of four gigabytes"),
        pytest.param(b"\x04\x00\x00\x00\x00\x00", id="data before a request"),
        pytest.param(b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00" * 50, id="only releases"),
        pytest.param(b"\x09\x00\x00\x00\x00\x04\x00\x00\x00\x00", id="a PDU of no known type"),
        pytest.param(bytes(range(256)) * 40, id="noise"),
    ],
)
def test_what_is_no_dicom_is_hung_up_on(listener: Listener, stream: bytes) -> None:
    _say(listener, stream)
    assert send(listener, a_picture()) == [0]


def test_an_object_in_pieces_of_other_contexts_is_not_put_together(
    listener: Listener, said: bytes, own_database: str
) -> None:
    """The second fragment of a data set that claims another presentation context."""
    uid = str(generate_uid())
    stream = bytearray(said)
    at = _data_pdus(said)[1]
    stream[at + PDU_HEAD + 4] ^= 0x02
    _say(listener, bytes(stream))
    with psycopg.connect(own_database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM imaging_instance WHERE uid = %s", (uid,)
        ).fetchone()
    assert row == (0,)
    assert send(listener, a_picture()) == [0]


def _data_pdus(stream: bytes) -> list[int]:
    """Where each P-DATA-TF begins (PS3.8 §9.3.5)."""
    at, found = 0, []
    while at < len(stream):
        if stream[at] == 4:
            found.append(at)
        at += PDU_HEAD + int.from_bytes(stream[at + 2 : at + PDU_HEAD], "big")
    return found


def _say(listener: Listener, stream: bytes) -> None:
    """All at once, then wait a moment for what the other side makes of it."""
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        connection.settimeout(0.2)
        # It may have hung up already.
        with suppress(OSError):
            connection.sendall(stream)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


def _of_associations() -> list[str]:
    return [each.name for each in threading.enumerate() if "AcceptorThread" in each.name]
