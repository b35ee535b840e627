"""Stored objects on their way out: the bytes as they lie, in a transfer syntax the peer takes."""

from __future__ import annotations

import mmap
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE

from serai.imaging.archive.content import buffer_of
from serai.imaging.archive.recalling import recall_instance
from serai.imaging.dataset import part10
from serai.imaging.dimse import outgoing
from serai.imaging.dimse.exchange import House
from serai.imaging.dimse.waiting import LOOK_AGAIN_S, reactor_held
from serai.imaging.rendering.native import can_decode
from serai.imaging.rendering.transcoding import transcoded
from serai.imaging.search.rows import StoredObject
from serai.kernel.actor import serai_itself
from serai.kernel.errors import NotFound, Unavailable, Unsupported

# PDUs waiting for a slow receiver; more would only fill memory.
MAX_WAITING: Final = 32
MEDIUM_PRIORITY: Final = 0
# Syntaxes that can be written when the stored one is not taken, the better first.
WRITTEN: Final = (part10.EXPLICIT_VR_LITTLE_ENDIAN, part10.IMPLICIT_VR_LITTLE_ENDIAN)


@dataclass(frozen=True, slots=True)
class Originator:
    """Who asked by C-MOVE, told to the receiver (PS3.7 §9.1.1.1.6)."""

    ae_title: str
    message_id: int


def context_for(association: Any, found: StoredObject) -> Any:
    """The accepted context for the object as stored, else one it can be turned into."""
    by_syntax = {
        str(each.transfer_syntax[0]): each
        for each in association.accepted_contexts
        if each.abstract_syntax == found.sop_class and each.as_scu
    }
    if found.transfer_syntax in by_syntax:
        return by_syntax[found.transfer_syntax]
    usable = [by_syntax[syntax] for syntax in WRITTEN if syntax in by_syntax]
    if not usable or not can_decode(found.transfer_syntax):
        raise Unsupported("dimse.no-context", sop_class=found.sop_class)
    return usable[0]


def send(
    house: House,
    association: Any,
    found: StoredObject,
    *,
    message_id: int,
    originator: Originator | None = None,
) -> int:
    """One C-STORE sub-operation; the status the receiver answered."""
    context = context_for(association, found)
    request = C_STORE()
    request.MessageID = message_id
    request.AffectedSOPClassUID = found.sop_class
    request.AffectedSOPInstanceUID = found.uid
    request.Priority = MEDIUM_PRIORITY
    if originator:
        request.MoveOriginatorApplicationEntityTitle = originator.ae_title
        request.MoveOriginatorMessageID = originator.message_id
    syntax = str(context.transfer_syntax[0])
    connection = outgoing.direct(association)
    if connection is not None:
        return _send_directly(house, association, connection, found, context, request)
    with _data_set(house, found, syntax) as place:
        request._dataset_path = place  # noqa: SLF001 - pynetdicom's way of sending from a file
        with reactor_held(association):
            _transmit(association, request, context.context_id)
            _, response = association.dimse.get_msg(block=True)
    return _status(response)


def _send_directly(
    house: House,
    association: Any,
    connection: socket.socket,
    found: StoredObject,
    context: Any,
    request: C_STORE,
) -> int:
    """Written by this thread; the answer is read by the association's other one."""
    title = request.MoveOriginatorApplicationEntityTitle
    command = outgoing.store_request(
        sop_class=found.sop_class,
        sop_instance=found.uid,
        message_id=request.MessageID,
        priority=MEDIUM_PRIORITY,
        originator=(title, request.MoveOriginatorMessageID) if title else None,
    )
    syntax, longest = str(context.transfer_syntax[0]), association.dimse.maximum_pdu_size
    with reactor_held(association), _bytes(house, found, syntax) as data_set:
        buffers = outgoing.pdus(context.context_id, command, data_set, longest)
        outgoing.transmit(connection, buffers)
        _, response = association.dimse.get_msg(block=True)
    return _status(response)


def _status(response: Any) -> int:
    if response is None or response.Status is None:
        raise Unavailable("dimse.no-answer")
    return int(response.Status)


@contextmanager
def _bytes(house: House, found: StoredObject, syntax: str) -> Iterator[memoryview]:
    """The data set in the pages of its own file, or of a copy made for this."""
    with _data_set(house, found, syntax) as (place, start), place.open("rb") as file:
        # Unmapped when nothing refers to it any more, which an error on its way does for a while.
        yield memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[start:]


@contextmanager
def _data_set(house: House, found: StoredObject, syntax: str) -> Iterator[tuple[Path, int]]:
    """A file and where in it the data set starts: the blob itself, or a copy made for this."""
    local = house.archive.blobs.local(found.blob)
    if local and syntax == found.transfer_syntax:
        with buffer_of(local) as buffer:
            start = part10.data_set_start(buffer)
        yield local, start
        return
    content = house.loop.run(_at_hand(house, found))
    if syntax != found.transfer_syntax:
        content = transcoded(content, syntax)
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(content)
        copy.flush()
        yield Path(copy.name), part10.data_set_start(content)


async def _at_hand(house: House, found: StoredObject) -> bytes:
    """What lies in the cold place is fetched for the next time somebody asks (Unavailable)."""
    try:
        return await house.archive.blobs.get(found.blob)
    except NotFound:
        await recall_instance(house.db, found.uid, actor=serai_itself)
        raise


def _transmit(association: Any, request: C_STORE, context_id: int) -> None:
    """As pynetdicom sends, but never further ahead of the receiver than a few PDUs."""
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    message.context_id = context_id
    waiting = association.dul.to_provider_queue
    for part in message.encode_msg(context_id, association.dimse.maximum_pdu_size):
        while waiting.qsize() > MAX_WAITING:
            if not association.dul.is_alive():
                raise Unavailable("dimse.no-answer")
            time.sleep(LOOK_AGAIN_S)
        association.dul.send_pdu(part)


def distinct_contexts(found: Sequence[StoredObject]) -> list[tuple[str, str]]:
    """Each storage class with each syntax its objects are stored in, in order of appearance."""
    return list(dict.fromkeys((each.sop_class, each.transfer_syntax) for each in found))
