"""Reading from a sender's connection without the delays of two stacks waiting for each other.

Debian's dcmtk leaves Nagle's algorithm on, and the kernel delays acknowledgements: together they
hold every small object back 40 ms. Senders in hospitals cannot be reconfigured, so this side
acknowledges at once, and says so again after each read, because the kernel forgets.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from functools import partial

from pynetdicom.transport import AssociationSocket

QUICKACK = getattr(socket, "TCP_QUICKACK", None)
# As large as a PDU is negotiated, and then some: pynetdicom reads 4096 bytes at a time.
RECEIVE_BUFFER = 1 << 20
# What there is to send waits no longer for the end of waiting for what comes.
LOOK_UP_S = 0.001
# pynetdicom's state machine: transport connection closed (PS3.8 §9.2.2).
CONNECTION_CLOSED = "Evt17"
# A PDU has come whole within this time, or its sender is gone: 128 kB at 1 kB/s.
WHOLE_PDU_S = 120.0
# The longest there is: an association request with 128 contexts of many syntaxes each.
MAX_PDU_READ = 1 << 20


class PromptSocket(AssociationSocket):  # type: ignore[misc] # pynetdicom has no types
    """Waits for data where pynetdicom sleeps and looks again: an answer a millisecond sooner."""

    @property
    def ready(self) -> bool:
        waiting = self.socket
        if waiting is None or not self._is_connected:
            return False
        if isinstance(waiting, ssl.SSLSocket) and waiting.pending():
            return True
        try:
            return bool(select.select([waiting], [], [], LOOK_UP_S)[0])
        except (OSError, ValueError):
            self.event_queue.put(CONNECTION_CLOSED)
            return False


def tune(connection: AssociationSocket) -> None:
    """Set the options and replace the read loop of one accepted connection."""
    accepted: socket.socket = connection.socket
    accepted.settimeout(WHOLE_PDU_S)
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _acknowledge(accepted)
    connection.recv = partial(_receive, accepted)
    connection.__class__ = PromptSocket


def _receive(accepted: socket.socket, wanted: int) -> bytearray:
    """All of `wanted` bytes, or fewer when the peer has gone."""
    if wanted > MAX_PDU_READ:
        raise OSError("a PDU longer than any that was negotiated")
    deadline = time.monotonic() + WHOLE_PDU_S
    received = bytearray(wanted)
    view, at = memoryview(received), 0
    while at < wanted:
        count = accepted.recv_into(view[at:], min(wanted - at, RECEIVE_BUFFER))
        _acknowledge(accepted)
        if not count:
            break
        if time.monotonic() > deadline:
            raise TimeoutError
        at += count
    view.release()
    del received[at:]
    return received


def _acknowledge(accepted: socket.socket) -> None:
    if QUICKACK is not None:
        accepted.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
