"""What the asked hospital does: assign, accept or decline, ask back, write and sign the opinion."""

from __future__ import annotations

from datetime import datetime

from serai.care.consultation import records
from serai.care.consultation.actions.asking import say
from serai.care.consultation.actions.moving import Opened, make, moved, opened
from serai.care.consultation.model import (
    Act,
    Consultation,
    Evidence,
    Opinion,
    Report,
    check_report,
)
from serai.care.consultation.records import Consultations, OpinionVersion
from serai.kernel.actor import Actor
from serai.kernel.errors import Invalid


async def assign(
    kept: Consultations,
    consultation_id: str,
    expert: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    """The desk gives the consultation to an expert of its hospital, or to another one."""
    async with opened(kept, consultation_id, version=version, actor=actor) as case:
        act = Act.REASSIGN if case.consultation.expert else Act.ASSIGN
        name = await records.practitioner_name(kept.fhir, case.tx, expert) if expert else ""
        return await moved(
            kept,
            case,
            act,
            actor=actor,
            now=now,
            evidence=Evidence(expert=expert or None, expert_name=name),
        )


async def accept(
    kept: Consultations,
    consultation_id: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    return await make(kept, consultation_id, Act.ACCEPT, version=version, actor=actor, now=now)


async def decline(
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
        Act.DECLINE,
        version=version,
        actor=actor,
        now=now,
        evidence=Evidence(reason=reason),
    )


async def start(
    kept: Consultations,
    consultation_id: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    return await make(kept, consultation_id, Act.START, version=version, actor=actor, now=now)


async def ask(
    kept: Consultations,
    consultation_id: str,
    question: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    """Ask the asking doctor for what is missing; the consultation waits for the answer."""
    return await say(
        kept, consultation_id, Act.ASK, question, version=version, actor=actor, now=now
    )


async def save_opinion(
    kept: Consultations,
    consultation_id: str,
    opinion: Opinion,
    *,
    draft_version: int | None,
    actor: Actor,
    now: datetime,
) -> OpinionVersion:
    """Keep a draft of the opinion; the asking hospital does not see it before it is signed."""
    async with opened(kept, consultation_id, version=None, actor=actor) as case:
        before = await records.opinion(kept.fhir, case.tx, case.consultation, actor=actor)
        check_report(
            case.consultation, before.status if before else None, "preliminary", actor=actor
        )
        if before and before.opinion == opinion:
            return before
        return await records.save_draft(
            kept.fhir,
            case.tx,
            case.consultation,
            opinion,
            exists=before is not None,
            draft_version=draft_version,
            actor=actor,
            now=now,
        )


async def sign(
    kept: Consultations,
    consultation_id: str,
    opinion: Opinion,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    """Sign the opinion: from now on it is part of the patient's record and stays readable."""
    async with opened(kept, consultation_id, version=version, actor=actor) as case:
        return await _signed(
            kept, case, Act.SIGN, opinion, status="final", reason="", actor=actor, now=now
        )


async def amend(
    kept: Consultations,
    consultation_id: str,
    opinion: Opinion,
    reason: str,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> Consultation:
    """Correct a signed opinion before it is acknowledged; what was signed before is kept."""
    async with opened(kept, consultation_id, version=version, actor=actor) as case:
        return await _signed(
            kept, case, Act.AMEND, opinion, status="amended", reason=reason, actor=actor, now=now
        )


async def _signed(
    kept: Consultations,
    case: Opened,
    act: Act,
    opinion: Opinion,
    *,
    status: str,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Consultation:
    if not opinion.complete:
        raise Invalid("consultation.conclusion-missing")
    if act is Act.AMEND and not reason.strip():
        raise Invalid("consultation.reason-missing")
    before = await records.opinion(kept.fhir, case.tx, case.consultation, actor=actor)
    check_report(case.consultation, before.status if before else None, status, actor=actor)
    report_id = await records.save_signed(
        kept.fhir,
        case.tx,
        case.consultation,
        opinion,
        before=before,
        status=status,
        correction=reason,
        actor=actor,
        now=now,
    )
    report = Report(report_id, status, signer=actor.practitioner)
    return await moved(
        kept, case, act, actor=actor, now=now, evidence=Evidence(report=report, reason=reason)
    )
