"""PDUs as they come, past pynetdicom where an object is stored (PS3.8 §9.3.5, Annex E).

pynetdicom copies an object six times and turns its loop for every PDU. Here the fragments of a
C-STORE request go straight from the socket to where the object gathers, and the thread that has
read the last one stores it and answers. Everything else is handed to pynetdicom as it came.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pynetdicom.dimse_primitives import C_STORE

from serai.imaging.archive import Arriving
from serai.imaging.dimse.sockets import CONNECTION_CLOSED

P_DATA_TF: Final = 0x04
PDU_TYPES: Final = range(1, 8)
HEADER: Final = struct.Struct(">BBL")
FRAGMENT: Final = struct.Struct(">LBB")
COMMAND: Final = 0x01
LAST: Final = 0x02
C_STORE_RQ: Final = 0x0001
C_STORE_RSP: Final = 0x8001
NO_DATA_SET: Final = 0x0101
# pynetdicom's state machine: ready for data transfer; an unrecognised or invalid PDU.
READY: Final = "Sta6"
INVALID_PDU: Final = "Evt19"


class _Invalid(Exception):
    """Not what the standard lets come next."""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """The command of a C-STORE-RQ (PS3.7 §9.3.1.1) and the context it came in."""

    context_id: int
    message_id: int
    sop_class: str
    sop_instance: str


# Begins an object that has been asked for; takes it when its last fragment has come.
Begin = Callable[[StoreRequest], Arriving]
Store = Callable[[StoreRequest, Arriving], None]


class Incoming:
    """What an association's thread calls when there is something to read."""

    def __init__(self, dul: Any, begin: Begin, store: Store) -> None:
        self._dul = dul
        self._begin = begin
        self._store = store

    def read(self) -> None:
        """One PDU; or, where an object begins in it, all until the object is complete."""
        try:
            head, body = self._pdu()
        except (OSError, EOFError):
            self._dul.event_queue.put(CONNECTION_CLOSED)
            return
        except _Invalid:
            self._dul.event_queue.put(INVALID_PDU)
            return
        if self._answered(head, body):
            return
        request = self._begun(head, body)
        if request is None:
            self._hand_over(head, body)
        else:
            self._receive(*request)

    def _pdu(self) -> tuple[bytearray, bytearray]:
        receive = self._dul.socket.recv
        head = receive(HEADER.size)
        if len(head) < HEADER.size:
            raise EOFError
        kind, _, length = HEADER.unpack(head)
        if kind not in PDU_TYPES:
            raise _Invalid
        body = receive(length)
        if len(body) < length:
            raise EOFError
        return head, body

    def _answered(self, head: bytearray, body: bytearray) -> bool:
        """The answer to an object of ours, whole in this PDU, given to the thread that waits."""
        association = self._dul.assoc
        waited_for = not association._reactor_checkpoint.is_set()  # noqa: SLF001
        if head[0] != P_DATA_TF or not waited_for or association.dimse.message is not None:
            return False
        try:
            (context_id, control, content), *more = _fragments(body)
            answer = _store_answer(content)
        except (_Invalid, ValueError, struct.error):
            return False
        if more or answer is None or control & (COMMAND | LAST) != COMMAND | LAST:
            return False
        association.dimse.msg_queue.put((context_id, answer))
        return True

    def _begun(
        self, head: bytearray, body: bytearray
    ) -> tuple[StoreRequest, Iterator[tuple[int, int, memoryview]]] | None:
        """A C-STORE request whose command stands whole at the start of this PDU."""
        if head[0] != P_DATA_TF or self._dul.state_machine.current_state != READY:
            return None
        fragments = _fragments(body)
        try:
            context_id, control, content = next(fragments)
            if control & (COMMAND | LAST) != COMMAND | LAST:
                return None
            request = _store_request(context_id, content)
        except (_Invalid, StopIteration, struct.error, UnicodeDecodeError):
            return None
        return (request, fragments) if request else None

    def _receive(
        self, request: StoreRequest, fragments: Iterator[tuple[int, int, memoryview]]
    ) -> None:
        # Meanwhile its other thread, which looks for messages a thousand times a second, rests.
        looking = self._dul.assoc._reactor_checkpoint  # noqa: SLF001
        looking.clear()
        try:
            self._take(request, fragments)
        finally:
            looking.set()

    def _take(
        self, request: StoreRequest, fragments: Iterator[tuple[int, int, memoryview]]
    ) -> None:
        with self._begin(request) as arriving:
            try:
                while not _added(arriving, request.context_id, fragments):
                    head, body = self._pdu()
                    if head[0] != P_DATA_TF:
                        self._hand_over(head, body)
                        return
                    fragments = _fragments(body)
            except (OSError, EOFError):
                self._dul.event_queue.put(CONNECTION_CLOSED)
                return
            except _Invalid:
                self._dul.event_queue.put(INVALID_PDU)
                return
            self._store(request, arriving)

    def _hand_over(self, head: bytearray, body: bytearray) -> None:
        try:
            pdu, event = self._dul._decode_pdu(head + body)  # noqa: SLF001 - as it reads itself
        except Exception:  # noqa: BLE001
            # Whatever its decoder stumbles over is a PDU that cannot be understood.
            self._dul.event_queue.put(INVALID_PDU)
            return
        self._dul.event_queue.put(event)
        self._dul._recv_pdu.put(pdu)  # noqa: SLF001


def _fragments(body: bytearray) -> Iterator[tuple[int, int, memoryview]]:
    """Context, message control header and content of each presentation data value."""
    view, at, end = memoryview(body), 0, len(body)
    while at < end:
        if end - at < FRAGMENT.size:
            raise _Invalid
        length, context_id, control = FRAGMENT.unpack_from(view, at)
        start, at = at + FRAGMENT.size, at + 4 + length
        if length < 2 or at > end:
            raise _Invalid
        yield context_id, control, view[start:at]


def _added(
    arriving: Arriving, context_id: int, fragments: Iterator[tuple[int, int, memoryview]]
) -> bool:
    """Whether the last fragment of the data set was among them."""
    for own_id, control, content in fragments:
        if own_id != context_id or control & COMMAND:
            raise _Invalid
        arriving.add(content)
        if control & LAST:
            if next(fragments, None) is not None:
                raise _Invalid
            return True
    return False


def _elements(command: memoryview) -> dict[int, bytes]:
    """A command's values by element number; none of what is not a command (PS3.7 §6.3.1)."""
    values: dict[int, bytes] = {}
    at = 0
    while at < len(command):
        group, element, length = struct.unpack_from("<HHL", command, at)
        at += 8 + length
        if group or at > len(command):
            return {}
        values[element] = bytes(command[at - length : at])
    return values


def _store_answer(command: memoryview) -> C_STORE | None:
    """A C-STORE-RSP (PS3.7 §9.3.1.2); None for any other command and for one that lacks a part."""
    values = _elements(command)
    kind, data_set = (int.from_bytes(values.get(each, b""), "little") for each in (0x0100, 0x0800))
    if kind != C_STORE_RSP or data_set != NO_DATA_SET or not {0x0120, 0x0900} <= values.keys():
        return None
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo = int.from_bytes(values[0x0120], "little")
    answer.Status = int.from_bytes(values[0x0900], "little")
    return answer


def _store_request(context_id: int, command: memoryview) -> StoreRequest | None:
    """None for any other command, and for one that pynetdicom shall complain about."""
    values = _elements(command)
    kind, message, data_set = (
        int.from_bytes(values.get(element, b""), "little") for element in (0x0100, 0x0110, 0x0800)
    )
    sop_class, sop_instance = (
        values.get(element, b"").rstrip(b"\0 ").decode("ascii") for element in (0x0002, 0x1000)
    )
    complete = sop_class and sop_instance and 0x0110 in values and 0x0800 in values
    if kind != C_STORE_RQ or data_set == NO_DATA_SET or not complete:
        return None
    return StoreRequest(context_id, message, sop_class, sop_instance)
