"""C-STORE (PS3.4 §B, PS3.7 §9.1.1): acknowledged when bytes and index row are durable."""

from __future__ import annotations

import queue
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from pynetdicom.dimse_primitives import C_STORE

from serai.imaging import reasons
from serai.imaging.archive import Intake, receive
from serai.imaging.dataset import part10
from serai.imaging.dataset.model_json import Attributes
from serai.imaging.dataset.writing import encoded
from serai.imaging.dimse.loop import LoopThread
from serai.imaging.dimse.peers import Peer, Service
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Malformed, SeraiError

log = structlog.get_logger(__name__)

SUCCESS: Final = 0x0000
C_STORE_RSP: Final = 0x8001
NO_DATA_SET: Final = 0x0101
P_DATA_TF: Final = 0x04
# A fragment with the command, its last (PS3.8 §E.2).
WHOLE_COMMAND: Final = 0x03
# A long association brings its ImagingStudy up to date now and then.
SETTLE_EVERY_S: Final = 10.0


@dataclass(slots=True)
class Sender:
    """One association's door into the archive and when it was last settled."""

    peer: Peer
    intake: Intake
    loop: LoopThread
    settled_at: float = field(default_factory=time.monotonic)

    def store(self, association: Any, request: C_STORE, context_id: int) -> None:
        """Keep the object and answer, in the thread that has read it."""
        context = next(
            (each for each in association.accepted_contexts if each.context_id == context_id), None
        )
        if context is None:
            association.abort()
            return
        code, comment = self._kept(request, str(context.transfer_syntax[0]))
        association.dul.socket.send(_response(request, context_id, code, comment))
        if time.monotonic() - self.settled_at > SETTLE_EVERY_S:
            self.settle()

    def settle(self) -> None:
        self.loop.run(self.intake.settle(now=utc_now()))
        self.settled_at = time.monotonic()

    def finish(self) -> None:
        self.loop.run(self.intake.finish(now=utc_now()))

    def _kept(self, request: C_STORE, transfer_syntax: str) -> tuple[int, str]:
        try:
            if Service.STORE not in self.peer.services:
                raise Forbidden("dimse.not-allowed")
            received = receive(_as_file(request, transfer_syntax, self.peer.ae_title))
            if received.instance.uid != request.AffectedSOPInstanceUID:
                raise Malformed("dicom.invalid-uid", attribute="AffectedSOPInstanceUID")
            ahead = self.intake.ahead(received)
            (outcome,) = self.loop.run(self.intake.keep([received], now=utc_now(), ahead=ahead))
            if outcome.error:
                raise outcome.error
        except SeraiError as error:
            log.warning("dimse.refused", ae_title=self.peer.ae_title, error=error.key)
            return reasons.failure(error)
        return SUCCESS, ""


class Inbox(queue.Queue[Any]):
    """pynetdicom's queue of messages, past which objects are stored at once: a turn of its loop
    costs more than keeping a small object does."""

    def __init__(self, store: Callable[[C_STORE, int], None]) -> None:
        super().__init__()
        self._store = store

    def put(self, item: Any, *_: Any, **__: Any) -> None:
        context_id, message = item
        if isinstance(message, C_STORE) and message.is_valid_request and self.empty():
            self._store(message, context_id)
        else:
            super().put(item)


def _as_file(request: C_STORE, transfer_syntax: str, source: str) -> bytes:
    """The data set exactly as sent, behind file meta information of our own."""
    head = part10.header(
        sop_class=str(request.AffectedSOPClassUID),
        sop_instance=str(request.AffectedSOPInstanceUID),
        transfer_syntax=transfer_syntax,
        source=source,
    )
    return head + bytes(request.DataSet.getbuffer())


def _response(request: C_STORE, context_id: int, status: int, comment: str) -> bytes:
    """A C-STORE-RSP in one PDU (PS3.7 §9.3.1.2, PS3.8 §9.3.5)."""
    command: Attributes = {
        "00000002": {"vr": "UI", "Value": [str(request.AffectedSOPClassUID)]},
        "00000100": {"vr": "US", "Value": [C_STORE_RSP]},
        "00000120": {"vr": "US", "Value": [request.MessageID]},
        "00000800": {"vr": "US", "Value": [NO_DATA_SET]},
        "00000900": {"vr": "US", "Value": [status]},
        "00001000": {"vr": "UI", "Value": [str(request.AffectedSOPInstanceUID)]},
    }
    if comment:
        command["00000902"] = {"vr": "LO", "Value": [comment]}
    elements = encoded(command, explicit=False)
    content = struct.pack("<HHLL", 0, 0, 4, len(elements)) + elements
    fragment = struct.pack(">LBB", len(content) + 2, context_id, WHOLE_COMMAND) + content
    return struct.pack(">BBL", P_DATA_TF, 0, len(fragment)) + fragment
