"""Taking the ports first: a port in use is one clear line, before anything slow."""

from __future__ import annotations

import errno
import socket

from serai.kernel.errors import Conflict, Unavailable

# Connections the kernel holds while the workers are starting or restarting.
BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that the parts inherit."""
    family, kind, protocol, address = _resolved(host, port)
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        # Two sockets may be bound to one port as long as neither listens.
        taken.listen(BACKLOG)
    except OSError as error:
        taken.close()
        raise _refusal(error, host, port) from error
    taken.set_inheritable(True)
    return taken


def _resolved(host: str, port: int) -> tuple[int, int, int, tuple[object, ...]]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise Unavailable("port.no-such-address", host=host, port=port) from error
    return family, kind, protocol, address


def _refusal(error: OSError, host: str, port: int) -> Conflict | Unavailable:
    if error.errno == errno.EADDRINUSE:
        return Conflict("port.taken", host=host, port=port)
    if error.errno == errno.EADDRNOTAVAIL:
        return Unavailable("port.no-such-address", host=host, port=port)
    reason = error.strerror or ""
    return Unavailable("port.refused", host=host, port=port, reason=reason)
