"""Storage Commitment, push model (PS3.4 §J): said once the bytes have been read and summed."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any, Final

import structlog
from pynetdicom import build_context, build_role
from pynetdicom.dimse_primitives import N_EVENT_REPORT

from serai.imaging.archive import endings
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.dataset.part10 import IMPLICIT_VR_LITTLE_ENDIAN
from serai.imaging.dataset.writing import encoded
from serai.imaging.dimse.calling import called
from serai.imaging.dimse.exchange import Exchange
from serai.imaging.search.keys import COLUMNS, Level
from serai.imaging.search.query import Filter, Query
from serai.imaging.search.rows import StoredObject, stored
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid, NotFound, SeraiError
from serai.platform.blobs import Blobs

log = structlog.get_logger(__name__)

STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
INSTANCE: Final = "1.2.840.10008.1.20.1.1"
REQUEST: Final = 1
ALL_COMMITTED: Final = 1
SOME_FAILED: Final = 2
# Failure reasons (PS3.3 §C.14.1.1).
PROCESSING_FAILURE: Final = 0x0110
NO_SUCH_OBJECT: Final = 0x0112
CLASS_CONFLICT: Final = 0x0119
UIDS_AT_ONCE: Final = 500
FAILED: Final = "00081198"


def commit(exchange: Exchange) -> None:
    """N-ACTION: taken on at once; the report follows when everything has been looked at."""
    request = exchange.request
    if request.ActionTypeID != REQUEST or str(request.RequestedSOPInstanceUID) != INSTANCE:
        raise Invalid("dimse.no-such-action")
    transaction = first_text(exchange.identifier, "00081195")
    references = exchange.identifier.get("00081199", {}).get("Value", [])
    if not transaction or not references:
        raise Invalid("dimse.missing-attribute", tag="00081195" if references else "00081199")
    exchange.respond_instance(INSTANCE, {"ActionTypeID": REQUEST})
    report = _report(exchange, transaction, references)
    if FAILED not in report:
        _note(exchange, [first_text(each, "00081155") for each in references])
    if not (_same_association(exchange) and _told(exchange, exchange.association, report)):
        _call_back(exchange, report)


def _note(exchange: Exchange, instances: list[str]) -> None:
    """Whoever asks for commitment has sent everything."""
    organisation = exchange.peer.actor.organisation
    house = exchange.house
    house.loop.run(endings.committed(house.db, instances, organisation=organisation, now=utc_now()))


def _report(exchange: Exchange, transaction: str, references: list[Attributes]) -> Attributes:
    found = _found(exchange, [first_text(each, "00081155") for each in references])
    committed, failed = [], []
    for reference in references:
        uid = first_text(reference, "00081155")
        reason = _reason_against(exchange, found.get(uid), first_text(reference, "00081150"))
        item = {tag: reference[tag] for tag in ("00081150", "00081155") if tag in reference}
        if reason:
            failed.append(item | {"00081197": {"vr": "US", "Value": [reason]}})
        else:
            committed.append(item)
    report: Attributes = {"00081195": {"vr": "UI", "Value": [transaction]}}
    if committed:
        report["00081199"] = {"vr": "SQ", "Value": committed}
        report["00080054"] = {"vr": "AE", "Value": [exchange.house.ae_title]}
    if failed:
        report[FAILED] = {"vr": "SQ", "Value": failed}
    return report


def _found(exchange: Exchange, uids: list[str]) -> dict[str, StoredObject]:
    """Of the objects asked about, those that are there and visible to who asks."""
    house, found = exchange.house, {}
    for at in range(0, len(uids), UIDS_AT_ONCE):
        some = Filter(COLUMNS["00080018"], "\\".join(uids[at : at + UIDS_AT_ONCE]))
        query = Query.all_of(Level.INSTANCE, [some], limit=UIDS_AT_ONCE)
        for each in house.loop.run(stored(house.db, query, exchange.peer.actor)):
            found[each.uid] = each
    return found


def _reason_against(exchange: Exchange, found: StoredObject | None, sop_class: str) -> int:
    """Why the object cannot be committed to; 0 when it can."""
    if found is None:
        return NO_SUCH_OBJECT
    if found.sop_class != sop_class:
        return CLASS_CONFLICT
    return 0 if exchange.house.loop.run(_is_whole(exchange, found)) else PROCESSING_FAILURE


async def _is_whole(exchange: Exchange, found: StoredObject) -> bool:
    """Read where it lies, in the cold place too: what is to be kept safe need not come back."""
    archive = exchange.house.archive
    try:
        try:
            summed = await _summed(archive.blobs, found.blob)
        except NotFound:
            if archive.cold is None:
                raise
            summed = await _summed(archive.cold, found.blob)
    except SeraiError:
        log.exception("imaging.blob-unreadable", blob=found.blob)
        return False
    return summed == found.blob


async def _summed(blobs: Blobs, blob: str) -> str:
    summed = hashlib.sha256()
    async for part in blobs.stream(blob):
        summed.update(part)
    return summed.hexdigest()


def _same_association(exchange: Exchange) -> bool:
    """Whether the requester still listens there: it may have asked to part meanwhile."""
    return exchange.open and exchange.association.dul.peek_next_pdu() is None


def _call_back(exchange: Exchange, report: Attributes) -> None:
    peer = exchange.peer
    if not (peer.host and peer.port):
        log.warning("dimse.commitment-undelivered", ae_title=peer.ae_title)
        return
    context = build_context(STORAGE_COMMITMENT, IMPLICIT_VR_LITTLE_ENDIAN)
    role = build_role(STORAGE_COMMITMENT, scp_role=True)
    with called(exchange.house, peer, [context], ext_neg=[role]) as association:
        if association is None or not _told(exchange, association, report):
            log.warning("dimse.commitment-undelivered", ae_title=peer.ae_title)


def _told(exchange: Exchange, association: Any, report: Attributes) -> bool:
    """One N-EVENT-REPORT, answered."""
    context = next(
        each for each in association.accepted_contexts if each.abstract_syntax == STORAGE_COMMITMENT
    )
    explicit = str(context.transfer_syntax[0]) != IMPLICIT_VR_LITTLE_ENDIAN
    request = N_EVENT_REPORT()
    request.MessageID = 1
    request.AffectedSOPClassUID = STORAGE_COMMITMENT
    request.AffectedSOPInstanceUID = INSTANCE
    request.EventTypeID = SOME_FAILED if FAILED in report else ALL_COMMITTED
    request.EventInformation = BytesIO(encoded(report, explicit=explicit))
    response = exchange.asked(association, request, context.context_id)
    return response is not None and response.Status == 0x0000
