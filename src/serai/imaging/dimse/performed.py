"""Modality Performed Procedure Step (PS3.4 §F): what was done, kept as Procedure.

IN PROGRESS becomes in-progress, COMPLETED completed, DISCONTINUED stopped; a completed step
completes the order it fulfils. What has ended is never changed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.imaging.archive import endings
from serai.imaging.archive.imaging_study import DCM, DICOM_UID
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.dimse import scheduled
from serai.imaging.dimse.exchange import Exchange
from serai.imaging.dimse.narrowing import EVERYTHING, Narrowing, of_query
from serai.imaging.dimse.scheduled import Step
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Invalid, NotFound
from serai.platform import audit
from serai.platform.db import Connection

PERFORMED_STEP: Final = "1.2.840.10008.3.1.2.3.3"
STATUS_TAG: Final = "00400252"
STUDY: Final = "0020000D"
STATUS: Final = {
    "IN PROGRESS": "in-progress",
    "COMPLETED": "completed",
    "DISCONTINUED": "stopped",
}
# Type 1 of N-CREATE (PS3.4 Table F.7.2-1).
REQUIRED: Final = ("00400270", "00400253", "00400244", "00400245", STATUS_TAG, "00080060")


@dataclass(frozen=True, slots=True)
class Told:
    """One message of a modality about one step."""

    uid: str
    attributes: Attributes
    status: str


def create(exchange: Exchange) -> None:
    """N-CREATE: the step has begun."""
    told = _told(exchange, str(exchange.request.AffectedSOPInstanceUID or ""))
    for tag in REQUIRED:
        if not told.attributes.get(tag, {}).get("Value"):
            raise Invalid("dimse.missing-attribute", tag=tag)
    if told.status != "IN PROGRESS":
        raise Invalid("dimse.step-status", tag=STATUS_TAG)
    exchange.house.loop.run(_begin(exchange, told, utc_now()))
    exchange.respond_instance(told.uid)


def change(exchange: Exchange) -> None:
    """N-SET: more is known of it, or it has ended."""
    told = _told(exchange, str(exchange.request.RequestedSOPInstanceUID or ""))
    if told.status and told.status not in STATUS:
        raise Invalid("dimse.step-status", tag=STATUS_TAG)
    exchange.house.loop.run(_go_on(exchange, told, utc_now()))
    exchange.respond_instance(told.uid)


def _told(exchange: Exchange, uid: str) -> Told:
    if not uid:
        raise Invalid("dimse.missing-attribute", tag="00001000")
    attributes = exchange.identifier
    return Told(uid, attributes, first_text(attributes, STATUS_TAG))


async def _begin(exchange: Exchange, told: Told, now: datetime) -> None:
    house, actor = exchange.house, exchange.peer.actor
    async with house.db.transaction() as tx:
        if await _kept(exchange, tx, told.uid):
            raise Conflict("dimse.step-exists")
        step = await _fulfilled(told.attributes, house.archive.fhir, tx, actor)
        procedure = _procedure(told, step)
        made = await house.archive.fhir.create(tx, body.of(procedure), actor=actor, now=now)
        await audit.record(
            tx, actor=actor, act="dicom.mpps-create", at=now, resource=made.reference
        )


async def _go_on(exchange: Exchange, told: Told, now: datetime) -> None:
    fhir, actor = exchange.house.archive.fhir, exchange.peer.actor
    async with exchange.house.db.transaction() as tx:
        found = await _kept(exchange, tx, told.uid)
        if not found:
            raise NotFound("dimse.no-such-step")
        (procedure,) = found
        if procedure["status"] != "in-progress":
            raise Conflict("dimse.step-ended")
        version = int(procedure["meta"]["versionId"])
        changed = _changed(procedure, told)
        await fhir.update(tx, body.of(changed), actor=actor, now=now, if_match=version)
        resource = f"Procedure/{procedure['id']}"
        await audit.record(tx, actor=actor, act="dicom.mpps-set", at=now, resource=resource)
        if changed["status"] == "completed":
            await _complete_orders(exchange, tx, changed, now)
            await endings.performed(tx, told.attributes, organisation=actor.organisation, now=now)


async def _kept(exchange: Exchange, tx: Connection, uid: str) -> list[dict[str, Any]]:
    number = ("identifier", f"{DICOM_UID}|urn:oid:{uid}")
    fhir, actor = exchange.house.archive.fhir, exchange.peer.actor
    return await fhir.find(tx, "Procedure", number, actor=actor)


async def _complete_orders(
    exchange: Exchange, tx: Connection, procedure: Mapping[str, Any], now: datetime
) -> None:
    fhir, actor = exchange.house.archive.fhir, exchange.peer.actor
    for reference in procedure.get("basedOn", []):
        id = str(reference.get("reference", "")).removeprefix("ServiceRequest/")
        order = await fhir.read_to_change(tx, "ServiceRequest", id, actor=actor)
        if order.data.get("status") == "active":
            done = {**order.data, "status": "completed"}
            await fhir.update(tx, body.of(done), actor=actor, now=now)


async def _fulfilled(
    attributes: Attributes, fhir: FhirStore, tx: Connection, actor: Actor
) -> Step | None:
    """The scheduled step the modality says it performs; unscheduled work has none."""
    for way in _ways(attributes):
        step = _named(attributes, await scheduled.steps(fhir, tx, actor, way))
        if step is not None:
            return step
    return None


def _ways(attributes: Attributes) -> Iterator[Narrowing]:
    """Among the patient's orders, then among those of the study; among all only if the modality
    names a step, which may be of somebody else's number."""
    number = first_text(attributes, "00100020")
    if number:
        yield Narrowing(patient=number, orders=((),))
    items = attributes["00400270"].get("Value", [])
    if any(first_text(item, "00400009") for item in items):
        yield EVERYTHING
    else:
        yield from (of_query({STUDY: item[STUDY]}) for item in items if STUDY in item)


def _named(attributes: Attributes, steps: list[Step]) -> Step | None:
    for item in attributes["00400270"].get("Value", []):
        uid, id = first_text(item, STUDY), first_text(item, "00400009")
        for step in steps:
            if step.study_uid == uid or (id and step.id == id):
                return step
    return None


def _procedure(told: Told, step: Step | None) -> dict[str, Any]:
    attributes = told.attributes
    resource: dict[str, Any] = {
        "resourceType": "Procedure",
        "identifier": [{"system": DICOM_UID, "value": f"urn:oid:{told.uid}"}],
        "status": STATUS[told.status],
        "category": {"coding": [{"system": DCM, "code": first_text(attributes, "00080060")}]},
        "performedPeriod": {"start": _moment(attributes, "00400244", "00400245")},
    }
    if step is not None:
        resource["subject"] = dict(step.order["subject"])
        resource["basedOn"] = [{"reference": f"ServiceRequest/{step.order['id']}"}]
        if "code" in step.order:
            resource["code"] = step.order["code"]
        return resource
    resource["subject"] = {"identifier": {"value": first_text(attributes, "00100020") or "?"}}
    description = first_text(attributes, "00400254")
    return resource | ({"code": {"text": description}} if description else {})


def _changed(procedure: Mapping[str, Any], told: Told) -> dict[str, Any]:
    changed = {**procedure}
    if told.status:
        changed["status"] = STATUS[told.status]
    ended = _moment(told.attributes, "00400250", "00400251")
    if ended:
        changed["performedPeriod"] = {**procedure.get("performedPeriod", {}), "end": ended}
    reason = told.attributes.get("00400281", {}).get("Value", [])
    if reason:
        changed["statusReason"] = {"text": first_text(reason[0], "00080104") or "?"}
    return changed


def _moment(attributes: Attributes, day_tag: str, time_tag: str) -> str:
    """A FHIR dateTime; a time without a zone says less than the day alone."""
    day = first_text(attributes, day_tag)
    if len(day) != 8 or not day.isdigit():
        return ""
    shown, zone = f"{day[:4]}-{day[4:6]}-{day[6:]}", first_text(attributes, "00080201")
    time = first_text(attributes, time_tag)[:6]
    if len(zone) != 5 or len(time) != 6 or not (zone[1:] + time).isdigit():
        return shown
    return f"{shown}T{time[:2]}:{time[2:4]}:{time[4:]}{zone[:3]}:{zone[3:]}"
