"""Where consultations are kept: loaded from and saved to the FHIR store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from serai.care import chart
from serai.care.consultation.model import Act, Consultation, Opinion, Step
from serai.care.consultation.records.mapping import (
    Names,
    Resource,
    names_in,
    report_id,
    to_consultation,
    to_service_request,
    to_steps,
    to_task,
)
from serai.care.consultation.records.opinion import (
    Message,
    OpinionVersion,
    draft_report,
    signed_report,
    to_communication,
    to_message,
    to_opinion_version,
)
from serai.care.consultation.records.words import id_of, is_consultation_task
from serai.fhir.body import Body, of
from serai.fhir.store import FhirStore, HistoryAsked, Stored
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.errors import Conflict, NotFound, Stale
from serai.platform.db import Connection, Database

MOST_VERSIONS = 1000
# Acts of the asking hospital that also change what it asks, the ServiceRequest.
CHANGE_THE_REQUEST = frozenset({Act.EDIT, Act.SEND, Act.ACKNOWLEDGE, Act.CANCEL})


@dataclass(frozen=True, slots=True)
class Consultations:
    """The two things every action works with."""

    db: Database
    fhir: FhirStore


@dataclass(frozen=True, slots=True)
class Case:
    """A consultation and the names of its parties, as stored."""

    consultation: Consultation
    names: Names


async def read(
    fhir: FhirStore, c: Connection, resource_type: str, logical_id: str, *, actor: Actor
) -> Resource | None:
    """The resource, or None when it is not there for this actor."""
    try:
        stored = await fhir.read(c, resource_type, logical_id, actor=actor)
    except NotFound:
        return None
    return stored.data


async def load(fhir: FhirStore, c: Connection, consultation_id: str, *, actor: Actor) -> Case:
    task = (await fhir.read(c, "Task", consultation_id, actor=actor)).data
    if not is_consultation_task(task):
        raise NotFound("consultation.unknown", id=consultation_id)
    return await of_task(fhir, c, task, actor=actor)


async def of_task(fhir: FhirStore, c: Connection, task: Resource, *, actor: Actor) -> Case:
    """The case a Task belongs to: with its ServiceRequest and, once there is one, its opinion."""
    request_id = id_of(task.get("focus"), "ServiceRequest")
    request = await read(fhir, c, "ServiceRequest", request_id, actor=actor)
    if request is None:
        raise Conflict("consultation.request-missing")
    report = None
    if found := report_id(task):
        report = await read(fhir, c, "DiagnosticReport", found, actor=actor)
    return Case(to_consultation(task, request, report), names_in(task, request))


async def create(
    fhir: FhirStore, tx: Connection, case: Case, *, actor: Actor, now: datetime
) -> Case:
    consultation = case.consultation
    request = to_service_request(consultation, case.names)
    await fhir.create(tx, of(request), actor=actor, now=now, id=consultation.service_request)
    task = to_task(consultation, case.names, actor=actor)
    stored = await fhir.create(tx, of(task), actor=actor, now=now, id=consultation.id)
    return replace(case, consultation=replace(consultation, version=stored.version))


async def save(
    fhir: FhirStore, tx: Connection, case: Case, act: Act, *, actor: Actor, now: datetime
) -> Case:
    """Store the moved consultation; refused when somebody else moved it since it was read."""
    consultation = case.consultation
    request = to_service_request(consultation, case.names)
    if act is Act.EDIT:
        await fhir.update(tx, of(request), actor=actor, now=now)
    task = to_task(consultation, case.names, actor=actor)
    try:
        stored = await fhir.update(
            tx, of(task), actor=actor, now=now, if_match=consultation.version
        )
    except Stale as error:
        raise changed_meanwhile(consultation) from error
    # After the Task, whose new state is what allows the request its new status.
    if act in CHANGE_THE_REQUEST - {Act.EDIT}:
        await fhir.update(tx, of(request), actor=actor, now=now)
    return replace(case, consultation=replace(consultation, version=stored.version))


def changed_meanwhile(consultation: Consultation) -> Conflict:
    return Conflict("consultation.changed-meanwhile", current=consultation.state)


async def steps(
    fhir: FhirStore, c: Connection, consultation_id: str, *, actor: Actor
) -> tuple[Step, ...]:
    """Every move of a consultation, oldest first, from its Task's history."""
    versions = await _history(fhir, c, "Task", consultation_id, actor=actor)
    return to_steps(versions)


async def opinion_versions(
    fhir: FhirStore, c: Connection, report: str, *, actor: Actor
) -> tuple[OpinionVersion, ...]:
    """Every version of the opinion that was signed, oldest first."""
    versions = await _history(fhir, c, "DiagnosticReport", report, actor=actor)
    opinions = (to_opinion_version(resource) for resource in versions)
    return tuple(opinion for opinion in opinions if opinion.signed)


async def opinion(
    fhir: FhirStore, c: Connection, consultation: Consultation, *, actor: Actor
) -> OpinionVersion | None:
    """The newest version this actor may read; a draft only its own hospital."""
    report = consultation.report.id if consultation.report else consultation.id
    resource = await read(fhir, c, "DiagnosticReport", report, actor=actor)
    return to_opinion_version(resource) if resource else None


async def messages(
    fhir: FhirStore, c: Connection, ids: Iterable[str], *, actor: Actor
) -> tuple[Message, ...]:
    found = [await read(fhir, c, "Communication", one, actor=actor) for one in ids]
    return tuple(to_message(resource) for resource in found if resource)


async def _history(
    fhir: FhirStore, c: Connection, resource_type: str, logical_id: str, *, actor: Actor
) -> list[Resource]:
    asked = HistoryAsked(resource_type, logical_id, count=MOST_VERSIONS)
    page = await fhir.history(c, asked, actor=actor)
    versions = [stored.data for stored in page.entries if not stored.deleted]
    return sorted(versions, key=lambda resource: int(resource["meta"]["versionId"]))


async def practitioner_name(fhir: FhirStore, c: Connection, practitioner: str) -> str:
    found = await read(fhir, c, "Practitioner", practitioner, actor=serai_itself)
    return chart.person_name(found) if found else ""


async def add_message(
    fhir: FhirStore,
    tx: Connection,
    consultation: Consultation,
    kind: str,
    text: str,
    *,
    attach: tuple[str, ...],
    actor: Actor,
    now: datetime,
) -> str:
    """Store a question or an answer, with what the answer brings along, and return its id."""
    resource = to_communication(consultation, kind, text, actor=actor, now=now)
    resource["payload"] += [{"contentReference": {"reference": item}} for item in attach]
    return (await fhir.create(tx, of(resource), actor=actor, now=now)).id


async def save_draft(
    fhir: FhirStore,
    tx: Connection,
    consultation: Consultation,
    text: Opinion,
    *,
    exists: bool,
    draft_version: int | None,
    actor: Actor,
    now: datetime,
) -> OpinionVersion:
    """One draft per consultation, under its id; refused when it was changed in another window."""
    body = of(draft_report(consultation, text, report_id=consultation.id, actor=actor))
    if exists:
        stored = await _updated(fhir, tx, body, draft_version, actor=actor, now=now)
    else:
        stored = await fhir.create(tx, body, actor=actor, now=now, id=consultation.id)
    return to_opinion_version(stored.data)


async def save_signed(
    fhir: FhirStore,
    tx: Connection,
    consultation: Consultation,
    text: Opinion,
    *,
    before: OpinionVersion | None,
    status: str,
    correction: str,
    actor: Actor,
    now: datetime,
) -> str:
    organisation = await chart.organisation_name(fhir, tx, actor.organisation or "")
    resource = signed_report(
        consultation,
        text,
        report_id=before.id if before else consultation.id,
        organisation_name=organisation,
        status=status,
        correction=correction,
        actor=actor,
        now=now,
    )
    if before:
        stored = await _updated(fhir, tx, of(resource), before.version, actor=actor, now=now)
    else:
        stored = await fhir.create(tx, of(resource), actor=actor, now=now, id=consultation.id)
    return stored.id


async def _updated(
    fhir: FhirStore,
    tx: Connection,
    body: Body,
    version: int | None,
    *,
    actor: Actor,
    now: datetime,
) -> Stored:
    """The report's next version; refused when it was changed in another window."""
    try:
        return await fhir.update(tx, body, actor=actor, now=now, if_match=version)
    except Stale as error:
        raise Conflict("consultation.draft-changed") from error
