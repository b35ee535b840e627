"""Objects and answers written past pynetdicom's loop (PS3.8 §9.3.5, Annex E; PS3.7 §9.3.1.1).

pynetdicom copies each fragment several times and turns its loop for every PDU. Here the thread
that serves a retrieval writes whole messages itself, many PDUs at a time, from the file's own
pages. Its other thread still reads, so that a C-CANCEL or an abort is seen at any time.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Final

from pynetdicom import pdu
from pynetdicom.pdu_primitives import P_DATA

from serai.imaging.dataset.model_json import Attributes
from serai.imaging.dataset.writing import encoded
from serai.imaging.dimse.incoming import C_STORE_RQ, COMMAND, FRAGMENT, HEADER, LAST, P_DATA_TF
from serai.kernel.errors import Unavailable

Buffer = bytes | memoryview

# A PDU's length counts the six bytes before a fragment's content too (PS3.8 §D.1).
FRAGMENT_HEAD: Final = 6
# What a receiver without a limit of its own is sent at most in one PDU.
LONGEST_PDU: Final = 1 << 17
HAS_DATA_SET: Final = 0x0001
# Buffers in one call of the system, which takes 1,024.
BUFFERS: Final = 512
SEND_S: Final = 60
# So many are taken within this time, or the receiver is as good as gone.
BATCH_S: Final = 300


def direct(association: Any) -> socket.socket | None:
    """The connection to write to, None where two threads may not share it (TLS) or it is gone."""
    connection = association.dul.socket
    plain = connection.socket if connection is not None else None
    return None if plain is None or isinstance(plain, ssl.SSLSocket) else plain


@contextmanager
def answering_directly(association: Any) -> Iterator[None]:
    """Answers between sub-operations take the same way as these, so that none overtakes."""
    dul = association.dul
    theirs = dul.send_pdu

    def write(primitive: Any) -> None:
        connection = direct(association)
        if connection is None or not isinstance(primitive, P_DATA):
            theirs(primitive)
            return
        transmit(connection, iter([pdu.P_DATA_TF(primitive).encode()]))

    dul.send_pdu = write
    try:
        yield
    finally:
        del dul.send_pdu


def store_request(
    *,
    sop_class: str,
    sop_instance: str,
    message_id: int,
    priority: int,
    originator: tuple[str, int] | None,
) -> bytes:
    """The command of a C-STORE-RQ, group length first (PS3.7 §9.3.1.1)."""
    command: Attributes = {
        "00000002": {"vr": "UI", "Value": [sop_class]},
        "00000100": {"vr": "US", "Value": [C_STORE_RQ]},
        "00000110": {"vr": "US", "Value": [message_id]},
        "00000700": {"vr": "US", "Value": [priority]},
        "00000800": {"vr": "US", "Value": [HAS_DATA_SET]},
        "00001000": {"vr": "UI", "Value": [sop_instance]},
    }
    if originator:
        command["00001030"] = {"vr": "AE", "Value": [originator[0]]}
        command["00001031"] = {"vr": "US", "Value": [originator[1]]}
    elements = encoded(command, explicit=False)
    return struct.pack("<HHLL", 0, 0, 4, len(elements)) + elements


def pdus(context_id: int, command: bytes, data_set: memoryview, longest: int) -> Iterator[Buffer]:
    """Heads and contents of a message's PDUs in turn, no content copied."""
    size = min(longest or LONGEST_PDU, LONGEST_PDU) - FRAGMENT_HEAD
    for kind, content in ((COMMAND, memoryview(command)), (0, data_set)):
        for at in range(0, len(content), size):
            part = content[at : at + size]
            control = kind | (LAST if at + size >= len(content) else 0)
            yield (
                HEADER.pack(P_DATA_TF, 0, len(part) + FRAGMENT_HEAD)
                + FRAGMENT.pack(len(part) + 2, context_id, control)
            )
            yield part


def transmit(connection: socket.socket, buffers: Iterator[Buffer]) -> None:
    """All of it; Unavailable, and no more on this connection, when the receiver does not take it.

    A message cut off cannot be followed by another one.
    """
    try:
        while batch := list(islice(buffers, BUFFERS)):
            _write(connection, batch)
    except OSError as error:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        raise Unavailable("dimse.no-answer") from error


def bound(association: Any) -> None:
    """A connection we opened ourselves waits for its receiver without an end otherwise."""
    connection = direct(association)
    if connection is not None:
        seconds = struct.pack("ll", SEND_S, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _write(connection: socket.socket, batch: list[Buffer]) -> None:
    first = 0
    until = time.monotonic() + BATCH_S
    while first < len(batch):
        if time.monotonic() > until:
            raise TimeoutError
        sent = connection.sendmsg(batch[first:])
        while first < len(batch) and sent >= len(batch[first]):
            sent -= len(batch[first])
            first += 1
        if sent:
            batch[first] = memoryview(batch[first])[sent:]
