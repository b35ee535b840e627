"""What the asking hospital does: draft, send, answer, acknowledge, cancel, turn to another."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from serai.care import chart
from serai.care.consultation import records
from serai.care.consultation.actions.moving import acting_for, make, moved, opened
from serai.care.consultation.model import (
    Act,
    Consultation,
    Evidence,
    Request,
    State,
    move,
)
from serai.care.consultation.records import Case, Consultations, Names
from serai.imaging.archive import Archive
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict
from serai.kernel.ids import new_id
from serai.platform.db import Connection


async def draft(
    kept: Consultations, patient: str, request: Request, *, actor: Actor, now: datetime
) -> Consultation:
    """Begin a consultation about a patient; nobody else sees it until it is sent."""
    async with kept.db.transaction() as tx:
        case = await _new_case(kept, tx, patient, request, actor=actor, now=now)
        return (await records.create(kept.fhir, tx, case, actor=actor, now=now)).consultation


async def _new_case(
    kept: Consultations,
    tx: Connection,
    patient: str,
    request: Request,
    *,
    actor: Actor,
    now: datetime,
) -> Case:
    organisation, practitioner = acting_for(actor)
    person = (await kept.fhir.read(tx, "Patient", patient, actor=actor)).data
    consultation = Consultation(
        id=new_id(),
        version=0,
        state=State.DRAFT,
        patient=patient,
        patient_name=chart.person_name(person),
        requester_organisation=organisation,
        requester=practitioner,
        request=request,
        drafted_at=now,
        changed_at=now,
        service_request=new_id(),
    )
    names = Names(
        requester=actor.name,
        requester_organisation=await chart.organisation_name(kept.fhir, tx, organisation),
        expert_organisation=await _hospital_name(kept, tx, request),
    )
    return Case(consultation, names)


async def _hospital_name(kept: Consultations, tx: Connection, request: Request) -> str:
    if not request.expert_organisation:
        return ""
    return await chart.organisation_name(kept.fhir, tx, request.expert_organisation)


async def edit(
    kept: Consultations,
    consultation_id: str,
    request: Request,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    """Change what a draft asks or attaches."""
    async with opened(kept, consultation_id, version=version, actor=actor) as case:
        consultation = move(case.consultation, Act.EDIT, actor=actor, at=now)
        names = replace(
            case.case.names, expert_organisation=await _hospital_name(kept, case.tx, request)
        )
        edited = Case(replace(consultation, request=request), names)
        saved = await records.save(kept.fhir, case.tx, edited, Act.EDIT, actor=actor, now=now)
        return saved.consultation


async def send(
    kept: Consultations,
    consultation_id: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    """Send the draft: the asked hospital's desk sees it, and all that is attached, from now on."""
    return await make(kept, consultation_id, Act.SEND, version=version, actor=actor, now=now)


async def answer(
    kept: Consultations,
    consultation_id: str,
    text: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
    attach: tuple[str, ...] = (),
) -> Consultation:
    """Answer what the expert asked back."""
    return await say(
        kept,
        consultation_id,
        Act.ANSWER,
        text,
        version=version,
        actor=actor,
        now=now,
        attach=attach,
    )


async def say(
    kept: Consultations,
    consultation_id: str,
    act: Act,
    text: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
    attach: tuple[str, ...] = (),
) -> Consultation:
    """Ask back or answer: the words are a Communication, the move hands the turn over."""
    async with opened(kept, consultation_id, version=version, actor=actor) as case:
        message = None
        if text.strip():
            # Decided first, so that a move which is not allowed leaves no message either.
            move(case.consultation, act, actor=actor, at=now, evidence=Evidence(message="new"))
            message = await records.add_message(
                kept.fhir,
                case.tx,
                case.consultation,
                act.value,
                text,
                attach=attach,
                actor=actor,
                now=now,
            )
        return await moved(
            kept, case, act, actor=actor, now=now, evidence=Evidence(message=message)
        )


async def acknowledge(
    kept: Consultations,
    consultation_id: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    """The asking doctor has read the opinion; the consultation closes."""
    return await make(kept, consultation_id, Act.ACKNOWLEDGE, version=version, actor=actor, now=now)


async def cancel(
    kept: Consultations,
    consultation_id: str,
    reason: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    return await make(
        kept,
        consultation_id,
        Act.CANCEL,
        version=version,
        actor=actor,
        now=now,
        evidence=Evidence(reason=reason),
    )


async def redirect(
    kept: Consultations,
    consultation_id: str,
    expert_organisation: str,
    reason: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    """After a refusal, ask another hospital the same question.

    That is a new consultation: the second hospital has no business with the first one's refusal.
    """
    async with opened(kept, consultation_id, version=version, actor=actor) as case:
        if case.consultation.state is not State.DECLINED:
            raise Conflict(
                "consultation.illegal-move", current=case.consultation.state, wanted="redirect"
            )
        await moved(kept, case, Act.CANCEL, actor=actor, now=now, evidence=Evidence(reason=reason))
        request = replace(case.consultation.request, expert_organisation=expert_organisation)
        fresh = await _new_case(
            kept, case.tx, case.consultation.patient, request, actor=actor, now=now
        )
        begun = await records.create(kept.fhir, case.tx, fresh, actor=actor, now=now)
        sent = move(begun.consultation, Act.SEND, actor=actor, at=now)
        saved = await records.save(
            kept.fhir,
            case.tx,
            replace(begun, consultation=sent),
            Act.SEND,
            actor=actor,
            now=now,
        )
        return saved.consultation


async def attach_studies(
    kept: Consultations,
    archive: Archive,
    consultation_id: str,
    study_uids: tuple[str, ...],
    *,
    actor: Actor,
    now: datetime,
) -> Consultation:
    """Add studies that were just uploaded to a draft, besides what it has already."""
    async with opened(kept, consultation_id, version=None, actor=actor) as case:
        consultation = move(case.consultation, Act.EDIT, actor=actor, at=now)
        found = await archive.studies_for_patient(case.tx, consultation.patient, actor=actor)
        fresh = [f"ImagingStudy/{study.resource}" for study in found if study.uid in study_uids]
        attached = dict.fromkeys((*consultation.request.attachments, *fresh))
        request = replace(consultation.request, attachments=tuple(attached))
        edited = replace(case.case, consultation=replace(consultation, request=request))
        saved = await records.save(kept.fhir, case.tx, edited, Act.EDIT, actor=actor, now=now)
        return saved.consultation
