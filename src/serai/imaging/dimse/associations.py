"""What happens on an association: who may open it, what a C-STORE does, what its end settles."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt

from serai.imaging import reasons
from serai.imaging.archive import Intake, receive
from serai.imaging.dataset import part10
from serai.imaging.dimse import sockets, status
from serai.imaging.dimse.exchange import Exchange, House
from serai.imaging.dimse.peers import Peer, Service, calling_peer
from serai.imaging.dimse.services import BY_UID, OWN
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Malformed, SeraiError
from serai.platform import audit

log = structlog.get_logger(__name__)

# Rejected permanently by the service user: calling AE title not recognised (PS3.8 §9.3.4).
CALLING_AE_NOT_RECOGNISED = (0x01, 0x01, 0x03)
# A long association brings its ImagingStudy up to date now and then.
SETTLE_EVERY_S = 10.0


@dataclass(slots=True)
class _Open:
    """One association: its door into the archive and when it was last settled."""

    peer: Peer
    intake: Intake
    settled_at: float = field(default_factory=time.monotonic)


class Associations:
    """The handlers pynetdicom calls, each in its association's own thread."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = house.loop
        self._open: dict[Any, _Open] = {}

    @property
    def handlers(self) -> list[Any]:
        return [
            (evt.EVT_CONN_OPEN, self._connected),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]

    def _connected(self, event: evt.Event) -> None:
        association = event.assoc
        sockets.tune(association.dul.socket)
        theirs = association._serve_request  # noqa: SLF001 - the one door of every request

        def serve(request: Any, context_id: int) -> None:
            if not self._served_here(association, request, context_id):
                theirs(request, context_id)

        association._serve_request = serve  # noqa: SLF001

    def _served_here(self, association: Any, request: Any, context_id: int) -> bool:
        """Answer a request of a service of our own; False leaves it to pynetdicom."""
        context = next(
            (each for each in association.accepted_contexts if each.context_id == context_id), None
        )
        service = OWN.get((type(request), str(context.abstract_syntax))) if context else None
        if service is None or not request.is_valid_request:
            return False
        peer = self._open[association].peer
        exchange = Exchange(self._house, peer, association, request, context)
        association.dimse.cancel_req.clear()
        association._is_paused = True  # noqa: SLF001 - sub-operations wait for answers themselves
        try:
            _answered(exchange, service)
        finally:
            association._is_paused = False  # noqa: SLF001
        return True

    def _requested(self, event: evt.Event) -> None:
        """Deny by default: a calling AE title nobody configured is turned away, and logged."""
        requestor = event.assoc.requestor
        title = requestor.primitive.calling_ae_title
        peer = self._loop.run(self._peer(title, requestor.address))
        if peer is None:
            log.warning("dimse.unknown-caller", ae_title=title, address=requestor.address)
            event.assoc.acse.send_reject(*CALLING_AE_NOT_RECOGNISED)
            event.assoc.kill()
            return
        acceptor = event.assoc.acceptor
        acceptor.supported_contexts = [
            each for each in acceptor.supported_contexts if _may(peer, str(each.abstract_syntax))
        ]
        house = self._house
        self._open[event.assoc] = _Open(peer, house.archive.intake(house.db, peer.actor))

    async def _peer(self, title: str, address: str) -> Peer | None:
        async with self._house.db.transaction() as tx:
            peer = await calling_peer(tx, title, address)
            if peer is None:
                stranger = Actor(f"dimse:{title}", Kind.MACHINE, f"{title} {address}", "stranger")
                await audit.record(
                    tx, actor=stranger, act="dicom.associate", at=utc_now(), outcome="refused"
                )
            return peer

    def _echo(self, _: evt.Event) -> Dataset:
        return status.success()

    def _store(self, event: evt.Event) -> Dataset:
        """C-STORE: acknowledged when the bytes and their index row are durable."""
        association = self._open[event.assoc]
        try:
            if Service.STORE not in association.peer.services:
                raise Forbidden("dimse.not-allowed")
            content = _as_file(event, association.peer.ae_title)
            received = receive(content)
            if received.instance.uid != event.request.AffectedSOPInstanceUID:
                raise Malformed("dicom.invalid-uid", attribute="AffectedSOPInstanceUID")
            work = association.intake.keep([received], now=utc_now())
            (outcome,) = self._loop.run(work)
            if outcome.error:
                raise outcome.error
        except SeraiError as error:
            log.warning("dimse.refused", ae_title=association.peer.ae_title, error=error.key)
            return status.refused(error)
        self._settle_now_and_then(association)
        return status.success()

    def _settle_now_and_then(self, association: _Open) -> None:
        if time.monotonic() - association.settled_at > SETTLE_EVERY_S:
            self._loop.run(association.intake.finish(now=utc_now()))
            association.settled_at = time.monotonic()

    def _closed(self, event: evt.Event) -> None:
        """Released, aborted or lost: what has arrived is settled either way."""
        association = self._open.pop(event.assoc, None)
        if association:
            self._loop.run(association.intake.finish(now=utc_now()))


def _as_file(event: evt.Event, source: str) -> bytes:
    """The data set exactly as sent, behind file meta information of our own."""
    request = event.request
    head = part10.header(
        sop_class=str(request.AffectedSOPClassUID),
        sop_instance=str(request.AffectedSOPInstanceUID),
        transfer_syntax=str(event.context.transfer_syntax),
        source=source,
    )
    return head + bytes(request.DataSet.getbuffer())


def _may(peer: Peer, sop_class: str) -> bool:
    """Whether a context of the class is accepted from this peer; deny by default."""
    served = BY_UID.get(sop_class)
    return served is not None and (served.service is None or served.service in peer.services)


def _answered(exchange: Exchange, service: Callable[[Exchange], None]) -> None:
    try:
        service(exchange)
    except SeraiError as error:
        log.warning("dimse.refused", ae_title=exchange.peer.ae_title, error=error.key)
        exchange.refuse(reasons.failure(error), error.details)
    except Exception:
        exchange.association.abort()
        raise
