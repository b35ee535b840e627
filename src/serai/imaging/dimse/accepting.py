"""Connections accepted: a bounded number, none of which can hold up the next."""

from __future__ import annotations

import socket
import threading
from typing import Any

import structlog
from pynetdicom.transport import ThreadedAssociationServer

log = structlog.get_logger(__name__)

# Beyond the associations that are admitted, so many may be told that there is no room.
WAITING_ROOM = 32


class Acceptor(ThreadedAssociationServer):  # type: ignore[misc] # pynetdicom has no types
    """pynetdicom's server, with the TLS handshake left to the connection's own thread; on a
    socket of its own, or on one that several processes accept from."""

    def __init__(self, *given: Any, shared: socket.socket | None = None, **named: Any) -> None:
        self._shared = shared
        self.socket: Any = None
        super().__init__(*given, **named)

    def server_bind(self) -> None:
        if self._shared is None:
            super().server_bind()
            return
        self.socket.close()
        self.socket = self._shared
        # Another process may have taken the connection that woke this one.
        self.socket.settimeout(0)
        self.server_address = self.socket.getsockname()

    def server_close(self) -> None:
        if self._shared is None:
            super().server_close()
        else:
            # pynetdicom would shut it down for the other processes as well.
            self.socket.close()

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name="dimse-acceptor", daemon=True).start()
        self.ae._servers.append(self)  # noqa: SLF001 - as its start_server does

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, address = self.socket.accept()
        if self.ssl_context:
            accepted = self.ssl_context.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
        return accepted, address

    def verify_request(self, _request: object, client_address: Any) -> bool:
        """A connection without a word yet counts like an association (PS3.8 §9.1.5, ARTIM)."""
        room = self.ae.maximum_associations + WAITING_ROOM
        if len(self.ae.active_associations) < room:
            return True
        log.warning("dimse.no-room", address=client_address[0])
        return False
