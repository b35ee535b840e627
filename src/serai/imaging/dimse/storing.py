"""C-STORE (PS3.4 §B, PS3.7 §9.1.1): acknowledged when bytes and index row are durable."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from serai.imaging import reasons
from serai.imaging.archive import Arriving, Intake
from serai.imaging.dataset import part10
from serai.imaging.dataset.model_json import Attributes
from serai.imaging.dataset.writing import encoded
from serai.imaging.dimse.incoming import NO_DATA_SET, P_DATA_TF, StoreRequest
from serai.imaging.dimse.loop import LoopThread
from serai.imaging.dimse.peers import Peer, Service
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Malformed, SeraiError
from serai.platform.blobs import Blobs
from serai.platform.threads import ThreadDatabase

log = structlog.get_logger(__name__)

SUCCESS: Final = 0x0000
C_STORE_RSP: Final = 0x8001
# A fragment with the command, its last (PS3.8 §E.2).
WHOLE_COMMAND: Final = 0x03
# A long association brings its ImagingStudy up to date now and then.
SETTLE_EVERY_S: Final = 10.0


@dataclass(slots=True)
class Sender:
    """One association's door into the archive and when it was last settled."""

    peer: Peer
    intake: Intake
    blobs: Blobs
    loop: LoopThread
    threads: ThreadDatabase
    settled_at: float = field(default_factory=time.monotonic)

    def begin(self, association: Any, request: StoreRequest) -> Arriving:
        """Where the data set gathers exactly as sent, behind file meta information of our own."""
        arriving = Arriving(self.blobs)
        head = part10.header(
            sop_class=request.sop_class,
            sop_instance=request.sop_instance,
            transfer_syntax=_transfer_syntax(association, request.context_id),
            source=self.peer.ae_title,
        )
        arriving.add(head)
        return arriving

    def store(self, association: Any, request: StoreRequest, arriving: Arriving) -> None:
        """Keep the object and answer, in the thread that has read it."""
        if not _transfer_syntax(association, request.context_id):
            association.abort(block=False)
            return
        code, comment = self._kept(request, arriving)
        association.dul.socket.send(_response(request, code, comment))
        if time.monotonic() - self.settled_at > SETTLE_EVERY_S:
            self.settle()

    def settle(self) -> None:
        self.loop.run(self.intake.settle(now=utc_now()))
        self.settled_at = time.monotonic()

    def finish(self) -> None:
        self.loop.run(self.intake.finish(now=utc_now()))

    def _kept(self, request: StoreRequest, arriving: Arriving) -> tuple[int, str]:
        try:
            if Service.STORE not in self.peer.services:
                raise Forbidden("dimse.not-allowed")
            received = arriving.received()
            if received.instance.uid != request.sop_instance:
                raise Malformed("dicom.invalid-uid", attribute="AffectedSOPInstanceUID")
            ahead = self.intake.ahead(received)
            if ahead and self.intake.keep_expected(ahead, self.threads, now=utc_now()):
                return SUCCESS, ""
            received = ahead.received if ahead else received
            (outcome,) = self.loop.run(self.intake.keep([received], now=utc_now(), ahead=ahead))
            if outcome.error:
                raise outcome.error
        except SeraiError as error:
            log.warning("dimse.refused", ae_title=self.peer.ae_title, error=error.key)
            return reasons.failure(error)
        return SUCCESS, ""


def _transfer_syntax(association: Any, context_id: int) -> str:
    """Nothing in a context that was not accepted."""
    for context in association.accepted_contexts:
        if context.context_id == context_id:
            return str(context.transfer_syntax[0])
    return ""


def _response(request: StoreRequest, status: int, comment: str) -> bytes:
    """A C-STORE-RSP in one PDU (PS3.7 §9.3.1.2, PS3.8 §9.3.5)."""
    command: Attributes = {
        "00000002": {"vr": "UI", "Value": [request.sop_class]},
        "00000100": {"vr": "US", "Value": [C_STORE_RSP]},
        "00000120": {"vr": "US", "Value": [request.message_id]},
        "00000800": {"vr": "US", "Value": [NO_DATA_SET]},
        "00000900": {"vr": "US", "Value": [status]},
        "00001000": {"vr": "UI", "Value": [request.sop_instance]},
    }
    if comment:
        command["00000902"] = {"vr": "LO", "Value": [comment]}
    elements = encoded(command, explicit=False)
    content = struct.pack("<HHLL", 0, 0, 4, len(elements)) + elements
    fragment = struct.pack(">LBB", len(content) + 2, request.context_id, WHOLE_COMMAND) + content
    return struct.pack(">BBL", P_DATA_TF, 0, len(fragment)) + fragment
