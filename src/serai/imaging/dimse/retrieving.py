"""C-GET and C-MOVE (PS3.4 §C.4.2, §C.4.3): what the asking peer may see, sent as stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from pynetdicom import build_context

from serai.imaging.dataset.model_json import Attributes
from serai.imaging.dimse.calling import called
from serai.imaging.dimse.exchange import Exchange
from serai.imaging.dimse.finding import CANCELLED, PENDING, SUCCESS
from serai.imaging.dimse.identifiers import level_of, read_unique
from serai.imaging.dimse.outgoing import answering_directly, bound
from serai.imaging.dimse.peers import Peer, destination
from serai.imaging.dimse.sending import WRITTEN, Originator, distinct_contexts, send
from serai.imaging.search.keys import Level
from serai.imaging.search.query import Query
from serai.imaging.search.rows import StoredObject, stored
from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError, TooLarge
from serai.platform import audit

log = structlog.get_logger(__name__)

PATIENT_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
PATIENT_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.1.2"
STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
PATIENT_ROOTS: Final = frozenset({PATIENT_ROOT_GET, PATIENT_ROOT_MOVE})

SOME_FAILED: Final = 0xB000
ALL_FAILED: Final = 0xA702
DESTINATION_UNKNOWN: Final = 0xA801
# Counts of sub-operations are unsigned shorts (PS3.7 §9.3.3.2).
MAX_SUBOPERATIONS: Final = 0xFFFF
# An association has at most 128 presentation contexts; each object needs up to two.
KINDS_PER_ASSOCIATION: Final = 60
WARNINGS: Final = frozenset({0xB000, 0xB006, 0xB007, 0x0107, 0x0116})


@dataclass(slots=True)
class Progress:
    """Counts of sub-operations, and which of them failed."""

    remaining: int
    completed: int = 0
    warnings: int = 0
    failed: list[str] = field(default_factory=list)

    def note(self, uid: str, status: int | None) -> None:
        self.remaining -= 1
        if status == SUCCESS:
            self.completed += 1
        elif status in WARNINGS:
            self.warnings += 1
        else:
            self.failed.append(uid)

    @property
    def counts(self) -> dict[str, int]:
        return {
            "NumberOfCompletedSuboperations": self.completed,
            "NumberOfFailedSuboperations": len(self.failed),
            "NumberOfWarningSuboperations": self.warnings,
        }

    @property
    def left(self) -> dict[str, int]:
        """Only said while there is something left (PS3.4 §C.4.2.1.6)."""
        return {"NumberOfRemainingSuboperations": self.remaining}

    @property
    def status(self) -> int:
        if not self.failed and not self.warnings:
            return SUCCESS
        return SOME_FAILED if self.completed or self.warnings else ALL_FAILED

    @property
    def identifier(self) -> Attributes | None:
        """Failed SOP Instance UID List, in every final answer but a clean one."""
        if self.status == SUCCESS:
            return None
        return {"00080058": {"vr": "UI", "Value": list(self.failed)}}


def get(exchange: Exchange) -> None:
    """Send on the same association whatever of it the requester takes."""
    found = _found(exchange, exchange.peer)
    progress = Progress(len(found))
    _audit(exchange, found, act="dicom.get")
    with answering_directly(exchange.association):
        _each(exchange, found, progress, _sender(exchange, exchange.association, None))
        _conclude(exchange, progress)


def move(exchange: Exchange) -> None:
    """Send to a known peer that takes objects, and nobody else."""
    title = str(exchange.request.MoveDestination or "").strip()
    house = exchange.house
    receiver = house.loop.run(_destination(exchange, title))
    if receiver is None:
        log.warning("dimse.unknown-destination", ae_title=exchange.peer.ae_title, to=title)
        exchange.respond(DESTINATION_UNKNOWN, fields={"ErrorComment": "Move destination unknown"})
        return
    found = _found(exchange, exchange.peer)
    progress = Progress(len(found))
    allowed = {each.uid for each in _found(exchange, receiver)}
    for each in found:
        if each.uid not in allowed:
            progress.note(each.uid, None)
    sent = [each for each in found if each.uid in allowed]
    _audit(exchange, sent, act="dicom.move")
    originator = Originator(exchange.peer.ae_title, exchange.request.MessageID)
    for group in _groups(sent):
        with called(house, receiver, _contexts(group)) as association:
            if association is not None:
                bound(association)
            if not _each(exchange, group, progress, _sender(exchange, association, originator)):
                break
    _conclude(exchange, progress)


def _found(exchange: Exchange, reader: Peer) -> list[StoredObject]:
    """What is asked for, as far as `reader` may see it."""
    patient_root = exchange.model in PATIENT_ROOTS
    level = level_of(exchange.identifier, patient_root=patient_root)
    filters = read_unique(exchange.identifier, level, patient_root=patient_root)
    house, limit = exchange.house, MAX_SUBOPERATIONS + 1
    query = Query.all_of(Level.INSTANCE, filters, limit=limit)
    found = house.loop.run(stored(house.db, query, reader.actor))
    if len(found) > MAX_SUBOPERATIONS:
        raise TooLarge("dimse.too-many-suboperations")
    return found


async def _destination(exchange: Exchange, title: str) -> Peer | None:
    async with exchange.house.db.connection() as connection:
        return await destination(connection, title)


def _sender(
    exchange: Exchange, association: Any, originator: Originator | None
) -> Callable[[StoredObject, int], int | None]:
    def sender(found: StoredObject, number: int) -> int | None:
        if association is None:
            return None
        message_id = (exchange.request.MessageID + number) % 0xFFFF + 1
        try:
            return send(
                exchange.house, association, found, message_id=message_id, originator=originator
            )
        except SeraiError as error:
            log.warning("dimse.not-sent", ae_title=exchange.peer.ae_title, error=error.key)
            return None

    return sender


def _each(
    exchange: Exchange,
    found: Sequence[StoredObject],
    progress: Progress,
    sender: Callable[[StoredObject, int], int | None],
) -> bool:
    """One sub-operation after the other with the counts after each; False when cancelled."""
    for number, each in enumerate(found):
        if exchange.cancelled or not exchange.open:
            return False
        progress.note(each.uid, sender(each, number))
        if progress.remaining:
            exchange.respond(PENDING, fields=progress.counts | progress.left)
    return True


def _conclude(exchange: Exchange, progress: Progress) -> None:
    if progress.remaining:
        exchange.respond(
            CANCELLED,
            {"00080058": {"vr": "UI", "Value": list(progress.failed)}},
            progress.counts | progress.left,
        )
        return
    exchange.respond(progress.status, progress.identifier, progress.counts)


def _groups(found: Sequence[StoredObject]) -> Iterator[list[StoredObject]]:
    """As many objects as fit the contexts of one association."""
    group: list[StoredObject] = []
    kinds: set[tuple[str, str]] = set()
    for each in found:
        kind = (each.sop_class, each.transfer_syntax)
        if kind not in kinds and len(kinds) == KINDS_PER_ASSOCIATION:
            yield group
            group, kinds = [], set()
        kinds.add(kind)
        group.append(each)
    if group:
        yield group


def _contexts(group: Sequence[StoredObject]) -> list[Any]:
    """One context for each kind as stored, and one per class for what may be turned into."""
    kinds = distinct_contexts(group)
    classes = dict.fromkeys(sop_class for sop_class, _ in kinds)
    exact = [build_context(sop_class, syntax) for sop_class, syntax in kinds]
    return exact + [build_context(each, list(WRITTEN)) for each in classes]


def _audit(exchange: Exchange, found: Sequence[StoredObject], *, act: str) -> None:
    if found:
        exchange.house.loop.run(_record(exchange, found, act, utc_now()))


async def _record(
    exchange: Exchange, found: Sequence[StoredObject], act: str, now: datetime
) -> None:
    """One line per study that leaves the house."""
    async with exchange.house.db.transaction() as tx:
        rows = await (await tx.execute(RESOURCES, ([each.uid for each in found],))).fetchall()
        for (resource,) in rows:
            await audit.record(
                tx,
                actor=exchange.peer.actor,
                act=act,
                at=now,
                resource=f"ImagingStudy/{resource}",
            )


RESOURCES: Final = """SELECT DISTINCT s.resource FROM imaging_instance i
    JOIN imaging_study s ON s.uid = i.study_uid WHERE i.uid = ANY(%s) ORDER BY s.resource"""
