"""What happens on an association: who may open it, who answers, what its end settles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE

from serai.imaging import reasons
from serai.imaging.archive import Arriving
from serai.imaging.dimse import sockets, status
from serai.imaging.dimse.exchange import Exchange, House
from serai.imaging.dimse.incoming import Incoming, StoreRequest
from serai.imaging.dimse.peers import Peer, calling_peer
from serai.imaging.dimse.services import BY_UID, OWN
from serai.imaging.dimse.storing import Sender
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, SeraiError
from serai.platform import audit

log = structlog.get_logger(__name__)

# Rejected permanently by the service user: calling AE title not recognised (PS3.8 §9.3.4).
CALLING_AE_NOT_RECOGNISED = (0x01, 0x01, 0x03)


class Associations:
    """The handlers pynetdicom calls, each in its association's own thread."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = house.loop
        self._open: dict[Any, Sender] = {}

    @property
    def handlers(self) -> list[Any]:
        return [
            (evt.EVT_CONN_OPEN, self._connected),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]

    def _connected(self, event: evt.Event) -> None:
        association = event.assoc
        sockets.tune(association.dul.socket)
        association.dul._run_loop_delay = 0  # noqa: SLF001 - the socket waits instead
        theirs = association._serve_request  # noqa: SLF001 - the one door of every request

        def serve(request: Any, context_id: int) -> None:
            if not self._served_here(association, request, context_id):
                theirs(request, context_id)

        association._serve_request = serve  # noqa: SLF001
        incoming = Incoming(
            association.dul, partial(self._begin, association), partial(self._store, association)
        )
        machine = association.dul.state_machine
        machine.do_action = _or_cut(association, machine.do_action)
        # The one place it reads.
        association.dul._read_pdu_data = _or_cut(association, incoming.read)  # noqa: SLF001

    def _begin(self, association: Any, request: StoreRequest) -> Arriving:
        return self._open[association].begin(association, request)

    def _store(self, association: Any, request: StoreRequest, arriving: Arriving) -> None:
        self._open[association].store(association, request, arriving)

    def _served_here(self, association: Any, request: Any, context_id: int) -> bool:
        """Answer a request of a service of our own; False leaves it to pynetdicom."""
        if isinstance(request, C_STORE) and request.is_valid_request:
            self._store_as_read(association, request, context_id)
            return True
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
            # pynetdicom takes contexts of classes whose names it spells otherwise for storage.
            allowed = _may(peer, exchange.model)
            _answered(exchange, service if allowed else _refused)
        finally:
            association._is_paused = False  # noqa: SLF001
        return True

    def _store_as_read(self, association: Any, request: C_STORE, context_id: int) -> None:
        """A request whose command came in pieces, which pynetdicom has put together."""
        uids = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        asked = StoreRequest(context_id, request.MessageID, *uids)
        with self._begin(association, asked) as arriving:
            arriving.add(request.DataSet.getvalue())
            self._store(association, asked, arriving)

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
        self._open[event.assoc] = Sender(
            peer,
            house.archive.intake(house.db, peer.actor),
            house.archive.blobs,
            self._loop,
            house.threads,
        )

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

    def _closed(self, event: evt.Event) -> None:
        """Released, aborted or lost: what has arrived is settled either way."""
        if event.assoc.requestor.primitive is None:
            _wake(event.assoc)
        association = self._open.pop(event.assoc, None)
        if association:
            association.finish()


def _or_cut(association: Any, act: Callable[..., None]) -> Callable[..., None]:
    """What a sender says that nothing provides for would end pynetdicom's thread, and leave the
    association open for ever: it is cut off instead."""

    def acting(*given: Any) -> None:
        try:
            act(*given)
        except Exception as error:  # noqa: BLE001
            log.warning("dimse.cut-off", error=type(error).__name__, address=_address(association))
            _cut(association)

    return acting


def _cut(association: Any) -> None:
    association.is_aborted, association.is_established = True, False
    association._kill = association.dul._kill_thread = True  # noqa: SLF001
    if association.dul.socket:
        association.dul.socket.close()
    _wake(association)
    evt.trigger(association, evt.EVT_CONN_CLOSE, {})


def _wake(association: Any) -> None:
    """Its thread waits for a request that does not come any more."""
    association.dul.to_user_queue.put(None)


def _address(association: Any) -> str:
    return str(association.requestor.address)


def _may(peer: Peer, sop_class: str) -> bool:
    """Whether a context of the class is accepted from this peer; deny by default."""
    served = BY_UID.get(sop_class)
    return served is not None and (served.service is None or served.service in peer.services)


def _refused(_: Exchange) -> None:
    raise Forbidden("dimse.not-allowed")


def _answered(exchange: Exchange, service: Callable[[Exchange], None]) -> None:
    try:
        service(exchange)
    except SeraiError as error:
        log.warning("dimse.refused", ae_title=exchange.peer.ae_title, error=error.key)
        exchange.refuse(reasons.failure(error), error.details)
    except Exception:
        exchange.association.abort()
        raise
