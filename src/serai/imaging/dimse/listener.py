"""The DIMSE listener: a process of its own, with its own database connections."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog
from pynetdicom import AE, _config
from pynetdicom.association import Association

from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.imaging.dimse import tls
from serai.imaging.dimse.accepting import Acceptor
from serai.imaging.dimse.associations import Associations
from serai.imaging.dimse.exchange import House
from serai.imaging.dimse.loop import LoopThread
from serai.imaging.dimse.services import SERVED, TRANSFER_SYNTAXES
from serai.kernel.clock import utc_now
from serai.kernel.errors import Unavailable
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.platform.threads import ThreadDatabase

log = structlog.get_logger(__name__)

MAX_ASSOCIATIONS = 256
# Larger PDUs mean fewer turns of pynetdicom's state machine per object.
MAX_PDU = 1 << 17
ACSE_TIMEOUT_S = 30
NETWORK_TIMEOUT_S = 300
CONNECTIONS = 8
# A modality waits half a minute for an answer, and many give up what was refused.
WAIT_FOR_CONNECTION_S = 20.0
# Of the threads that store; more would only wait for the same cores.
THREAD_CONNECTIONS = 8
ABORT_WITHIN_S = 5.0
CUT_WITHIN_S = 0.5

# Keep every storage class, private and future ones too, in the transfer syntax the sender
# prefers (PS3.4 §B.4.1, level 2 full): an archive that refuses a new class loses pictures.
_config.UNRESTRICTED_STORAGE_SERVICE = True
# Their logging handlers format every message, even when nobody listens.
_config.LOG_HANDLER_LEVEL = "none"


class Listener:
    """Starts on entering, refuses new work and settles the old on leaving."""

    def __init__(
        self,
        settings: Settings,
        database_url: str,
        fhir: FhirStore | None = None,
        shared: Sequence[socket.socket] = (),
    ) -> None:
        """`shared` are the sockets of the port and the TLS port when several processes accept
        from them."""
        self._settings = settings
        self._shared = shared
        self._fhir = fhir or FhirStore()
        self._url = database_url
        self._loop = LoopThread()

    @property
    def port(self) -> int:
        return int(self._servers[0].server_address[1])

    @property
    def tls_port(self) -> int:
        return int(self._servers[1].server_address[1])

    def __enter__(self) -> Self:
        self._loop.start()
        try:
            self._open()
        except BaseException:
            self._loop.stop()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.shutdown()
        _let_go(self._ae.active_associations)
        self._archive.blobs.close()
        self._threads.close()
        self._loop.run(self._db.close())
        self._loop.stop()

    def _open(self) -> None:
        settings = self._settings
        self._db = self._loop.run(
            Database.open(self._url, max_size=CONNECTIONS, wait_s=WAIT_FOR_CONNECTION_S)
        )
        located = settings.model_copy(update={"database_url": self._url})
        archive = self._archive = Archive(self._fhir, Blobs.at(located), Blobs.cold_at(located))
        self._loop.run(archive.restore())
        self._loop.run(archive.settle_left(self._db, now=utc_now()))
        self._threads = ThreadDatabase(self._url, max_size=THREAD_CONNECTIONS)
        house = House(settings, self._loop, self._db, self._threads, archive)
        associations = Associations(house)
        self._ae = _application_entity(settings.ae_title)
        self._servers: list[Acceptor] = []
        try:
            self._listen(0, settings.dimse_port, None, associations)
            if settings.dimse_tls_port is not None:
                security = tls.server_context(settings)
                self._listen(1, settings.dimse_tls_port, security, associations)
        except BaseException:
            for server in self._servers:
                server.shutdown()
                self._threads.close()
            self._loop.run(self._db.close())
            raise
        log.info("dimse.listening", ae_title=settings.ae_title, port=self.port)

    def _listen(
        self, place: int, port: int, security: ssl.SSLContext | None, associations: Associations
    ) -> None:
        try:
            server: Acceptor = self._ae.make_server(
                (self._settings.dimse_host, port),
                ssl_context=security,
                evt_handlers=associations.handlers,
                server_class=Acceptor,
                shared=self._shared[place] if self._shared else None,
            )
        except OSError as error:
            raise Unavailable("dimse.port-taken", port=port) from error
        server.start()
        self._servers.append(server)


def serve(
    settings: Settings,
    fhir: FhirStore,
    shared: Sequence[socket.socket],
    *,
    ready: Callable[[], None],
) -> None:
    """Listen until told to stop; `ready` is called once senders can connect."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    assert settings.database_url
    with Listener(settings, settings.database_url, fhir, shared):
        ready()
        stopped.wait()


def _let_go(associations: Sequence[Association]) -> None:
    """All at once: who answers is told, who is silent is cut off."""
    for one in associations:
        if one.is_established:
            one.abort(block=False)
        else:
            _cut(one)
    until = time.monotonic() + ABORT_WITHIN_S
    for one in associations:
        one.join(max(0.0, until - time.monotonic()))
        if one.is_alive():
            _cut(one)
            one.join(CUT_WITHIN_S)


def _cut(association: Association) -> None:
    connection = association.dul.socket
    with suppress(OSError):
        if connection is not None and connection.socket is not None:
            connection.socket.shutdown(socket.SHUT_RDWR)
    # Its thread waits for a request for as long as a silent caller may take: nothing comes.
    association.dul.to_user_queue.put(None)


def _application_entity(title: str) -> AE:
    entity = AE(title)
    entity.require_called_aet = True
    entity.maximum_associations = MAX_ASSOCIATIONS
    entity.maximum_pdu_size = MAX_PDU
    entity.acse_timeout = ACSE_TIMEOUT_S
    entity.dimse_timeout = NETWORK_TIMEOUT_S
    entity.network_timeout = NETWORK_TIMEOUT_S
    for served in SERVED:
        entity.add_supported_context(served.uid, list(TRANSFER_SYNTAXES))
    return entity
