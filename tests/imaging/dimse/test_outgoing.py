from __future__ import annotations

import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.pdu import P_DATA_TF
from tests.imaging.dimse.calling import receiving, send
from tests.imaging.dimse.test_retrieving import STUDY, data_set_of, move, pictures

from serai.imaging.dimse import Listener
from serai.imaging.dimse.outgoing import Buffer, pdus, store_request, transmit
from serai.kernel.errors import Unavailable


def a_command(originator: tuple[str, int] | None = None) -> bytes:
    return store_request(
        sop_class="1.2.840.10008.5.1.4.1.1.7",
        sop_instance="1.2.3.1.0",
        message_id=7,
        priority=0,
        originator=originator,
    )


def split(content: bytes) -> list[bytes]:
    """The PDUs in a stream of them."""
    found, at = [], 0
    while at < len(content):
        length = struct.unpack_from(">L", content, at + 2)[0] + 6
        found.append(content[at : at + length])
        at += length
    return found


@pytest.mark.parametrize("longest", [0, 128, 16384, 1 << 22])
def test_a_message_comes_apart_as_pynetdicom_reads_it(longest: int) -> None:
    data_set = bytes(range(256)) * 1200
    stream = b"".join(pdus(5, a_command(("STATION", 3)), memoryview(data_set), longest))
    message = C_STORE_RQ()
    parts = split(stream)
    for number, part in enumerate(parts, 1):
        assert not longest or len(part) - 6 <= longest
        pdu = P_DATA_TF()
        pdu.decode(part)
        assert bool(message.decode_msg(pdu.to_primitive())) is (number == len(parts))
    request = message.message_to_primitive()
    assert request.DataSet.getvalue() == data_set
    assert (message.context_id, request.MessageID) == (5, 7)
    assert request.AffectedSOPInstanceUID == "1.2.3.1.0"
    assert request.MoveOriginatorApplicationEntityTitle == "STATION"
    assert request.MoveOriginatorMessageID == 3


def test_a_get_names_no_originator() -> None:
    assert struct.pack("<HH", 0, 0x1030) not in a_command()


def test_a_slow_receiver_gets_every_byte_in_order() -> None:
    sent: list[Buffer] = [bytes([each]) * 30_000 for each in range(60)]
    sent[7] = memoryview(sent[7])[1:]
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as reading, ThreadPoolExecutor() as pool:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ours.settimeout(5)
        writing = pool.submit(transmit, ours, iter(sent))
        assert reading.read(60 * 30_000 - 1) == b"".join(sent)
        writing.result()


def test_a_receiver_that_takes_nothing_loses_its_connection() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.05)
        with pytest.raises(Unavailable):
            transmit(ours, iter([bytes(1 << 22)]))
        with pytest.raises(Unavailable):
            transmit(ours, iter([b"more"]))


def test_a_receiver_with_small_pdus_gets_the_same_bytes(
    listener: Listener, receiver_port: int
) -> None:
    sent = pictures(2, ImageComments="x" * 9000)
    send(listener, *sent)
    with receiving(receiver_port) as got:
        move(listener, STUDY, "RECEIVER")
    assert got == [data_set_of(each) for each in sent]
