"""Reading from a sender's connection without the delays of two stacks waiting for each other.

Debian's dcmtk leaves Nagle's algorithm on, and the kernel delays acknowledgements: together they
hold every small object back 40 ms. Senders in hospitals cannot be reconfigured, so this side
acknowledges at once, and says so again after each read, because the kernel forgets.
"""

from __future__ import annotations

import socket
from functools import partial

from pynetdicom.transport import AssociationSocket

QUICKACK = getattr(socket, "TCP_QUICKACK", None)
# As large as a PDU is negotiated, and then some: pynetdicom reads 4096 bytes at a time.
RECEIVE_BUFFER = 1 << 20


def tune(connection: AssociationSocket) -> None:
    """Set the options and replace the read loop of one accepted connection."""
    accepted: socket.socket = connection.socket
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _acknowledge(accepted)
    connection.recv = partial(_receive, accepted)


def _receive(accepted: socket.socket, wanted: int) -> bytearray:
    """All of `wanted` bytes, or fewer when the peer has gone."""
    received = bytearray(wanted)
    view, at = memoryview(received), 0
    while at < wanted:
        count = accepted.recv_into(view[at:], min(wanted - at, RECEIVE_BUFFER))
        _acknowledge(accepted)
        if not count:
            break
        at += count
    view.release()
    del received[at:]
    return received


def _acknowledge(accepted: socket.socket) -> None:
    if QUICKACK is not None:
        accepted.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
