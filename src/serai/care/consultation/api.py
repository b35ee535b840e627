"""`/api/consultations`: worklists, one consultation, and every move."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from serai.care.consultation import actions
from serai.care.consultation.model import Consultation, Opinion, State, Urgency
from serai.care.consultation.model import Request as Asked
from serai.care.consultation.records import Consultations, Item, Wanted
from serai.care.consultation.records import View as WorklistView
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.web.authentication import require_actor

router = APIRouter(prefix="/consultations", tags=["consultations"])

Text = Annotated[str, Field(max_length=20_000)]


def _kept(request: Request) -> Consultations:
    return Consultations(request.app.state.db, request.app.state.fhir)


Kept = Annotated[Consultations, Depends(_kept)]
Who = Annotated[Actor, Depends(require_actor)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Turn(Strict):
    """`version` is the version last read; a newer one on the server refuses the move."""

    version: int | None = None


class WithReason(Turn):
    reason: Text


class WithText(Turn):
    text: Text


class Answer(WithText):
    attachments: Annotated[list[str], Field(max_length=500)] = []


class Assignment(Turn):
    expert: Annotated[str, Field(max_length=64, description="Practitioner id")]


class Redirection(WithReason):
    expert_organisation: Annotated[str, Field(max_length=64)]


class OpinionIn(Turn):
    findings: Text = ""
    conclusion: Text = ""
    advice: Text = ""

    def opinion(self) -> Opinion:
        return Opinion(self.findings, self.conclusion, self.advice)


class Amendment(OpinionIn):
    reason: Text


class RequestIn(Strict):
    reason: Text = ""
    question: Text = ""
    summary: Text = ""
    urgency: Urgency = Urgency.ROUTINE
    specialty: Annotated[str, Field(max_length=64)] = ""
    expert_organisation: Annotated[str, Field(max_length=64)] | None = None
    attachments: Annotated[list[str], Field(max_length=500)] = []

    def asked(self) -> Asked:
        return Asked(
            **self.model_dump(exclude={"attachments", "version"}),
            attachments=tuple(self.attachments),
        )


class DraftIn(Strict):
    patient: Annotated[str, Field(max_length=64)]
    request: RequestIn = RequestIn()


class ConsultationOut(BaseModel):
    id: str
    version: int
    state: State
    patient: str
    patient_name: str
    requester_organisation: str
    expert_organisation: str | None
    expert: str | None
    urgency: Urgency
    specialty: str
    reason: str
    question: str
    summary: str
    attachments: list[str]
    state_reason: str
    report: str | None
    drafted_at: datetime
    sent_at: datetime | None
    due_at: datetime | None
    changed_at: datetime

    @classmethod
    def of(cls, consultation: Consultation) -> ConsultationOut:
        request = consultation.request
        return cls(
            id=consultation.id,
            version=consultation.version,
            state=consultation.state,
            patient=consultation.patient,
            patient_name=consultation.patient_name,
            requester_organisation=consultation.requester_organisation,
            expert_organisation=request.expert_organisation,
            expert=consultation.expert,
            urgency=request.urgency,
            specialty=request.specialty,
            reason=request.reason,
            question=request.question,
            summary=request.summary,
            attachments=list(request.attachments),
            state_reason=consultation.reason,
            report=consultation.report.id if consultation.report else None,
            drafted_at=consultation.drafted_at,
            sent_at=consultation.sent_at,
            due_at=consultation.due_at,
            changed_at=consultation.changed_at,
        )


class ItemOut(BaseModel):
    id: str
    state: State
    urgency: Urgency
    specialty: str
    patient: str
    patient_name: str
    reason: str
    requester_organisation: str
    expert_organisation_name: str
    expert_name: str
    since: datetime
    due_at: datetime | None

    @classmethod
    def of(cls, item: Item) -> ItemOut:
        return cls(**{name: getattr(item, name) for name in cls.model_fields})


class WorklistOut(BaseModel):
    items: list[ItemOut]
    more: bool
    by_view: dict[str, int]
    by_state: dict[str, int]


@router.get("", summary="A worklist: the most urgent first, then the longest wait")
async def worklist(
    kept: Kept,
    actor: Who,
    view: WorklistView = WorklistView.ALL,
    state: State | None = None,
    urgency: Urgency | None = None,
    specialty: str = "",
    q: Annotated[str, Query(max_length=200)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> WorklistOut:
    wanted = Wanted(view, state, urgency, specialty, q, page)
    found, counts, _ = await actions.worklist(kept, wanted, actor=actor)
    return WorklistOut(
        items=[ItemOut.of(item) for item in found.items],
        more=found.more,
        by_view={name.value: count for name, count in counts.by_view.items()},
        by_state={name.value: count for name, count in counts.by_state.items()},
    )


@router.post("", status_code=201, summary="Begin a draft")
async def draft(kept: Kept, actor: Who, body: DraftIn) -> ConsultationOut:
    made = await actions.draft(kept, body.patient, body.request.asked(), actor=actor, now=utc_now())
    return ConsultationOut.of(made)


@router.get("/{consultation}")
async def show(kept: Kept, actor: Who, consultation: str) -> ConsultationOut:
    return ConsultationOut.of(await actions.read(kept, consultation, actor=actor))


class EditIn(RequestIn):
    version: int | None = None


@router.put("/{consultation}/request", summary="Change a draft")
async def edit(kept: Kept, actor: Who, consultation: str, body: EditIn) -> ConsultationOut:
    made = await actions.edit(
        kept, consultation, body.asked(), version=body.version, actor=actor, now=utc_now()
    )
    return ConsultationOut.of(made)


@router.post("/{consultation}/send")
async def send(kept: Kept, actor: Who, consultation: str, body: Turn) -> ConsultationOut:
    made = await actions.send(kept, consultation, version=body.version, actor=actor, now=utc_now())
    return ConsultationOut.of(made)


@router.post("/{consultation}/assign")
async def assign(kept: Kept, actor: Who, consultation: str, body: Assignment) -> ConsultationOut:
    made = await actions.assign(
        kept, consultation, body.expert, version=body.version, actor=actor, now=utc_now()
    )
    return ConsultationOut.of(made)


@router.post("/{consultation}/accept")
async def accept(kept: Kept, actor: Who, consultation: str, body: Turn) -> ConsultationOut:
    made = await actions.accept(
        kept, consultation, version=body.version, actor=actor, now=utc_now()
    )
    return ConsultationOut.of(made)


@router.post("/{consultation}/decline")
async def decline(kept: Kept, actor: Who, consultation: str, body: WithReason) -> ConsultationOut:
    made = await actions.decline(
        kept, consultation, body.reason, version=body.version, actor=actor, now=utc_now()
    )
    return ConsultationOut.of(made)


@router.post("/{consultation}/start")
async def start(kept: Kept, actor: Who, consultation: str, body: Turn) -> ConsultationOut:
    made = await actions.start(kept, consultation, version=body.version, actor=actor, now=utc_now())
    return ConsultationOut.of(made)


@router.post("/{consultation}/ask")
async def ask(kept: Kept, actor: Who, consultation: str, body: WithText) -> ConsultationOut:
    made = await actions.ask(
        kept, consultation, body.text, version=body.version, actor=actor, now=utc_now()
    )
    return ConsultationOut.of(made)


@router.post("/{consultation}/answer")
async def answer(kept: Kept, actor: Who, consultation: str, body: Answer) -> ConsultationOut:
    made = await actions.answer(
        kept,
        consultation,
        body.text,
        version=body.version,
        attach=tuple(body.attachments),
        actor=actor,
        now=utc_now(),
    )
    return ConsultationOut.of(made)


@router.put("/{consultation}/opinion", summary="Keep a draft of the opinion")
async def save_opinion(
    kept: Kept, actor: Who, consultation: str, body: OpinionIn
) -> dict[str, int]:
    saved = await actions.save_opinion(
        kept,
        consultation,
        body.opinion(),
        draft_version=body.version,
        actor=actor,
        now=utc_now(),
    )
    return {"version": saved.version}


@router.post("/{consultation}/sign")
async def sign(kept: Kept, actor: Who, consultation: str, body: OpinionIn) -> ConsultationOut:
    made = await actions.sign(
        kept, consultation, body.opinion(), version=body.version, actor=actor, now=utc_now()
    )
    return ConsultationOut.of(made)


@router.post("/{consultation}/amend")
async def amend(kept: Kept, actor: Who, consultation: str, body: Amendment) -> ConsultationOut:
    made = await actions.amend(
        kept,
        consultation,
        body.opinion(),
        body.reason,
        version=body.version,
        actor=actor,
        now=utc_now(),
    )
    return ConsultationOut.of(made)


@router.post("/{consultation}/acknowledge")
async def acknowledge(kept: Kept, actor: Who, consultation: str, body: Turn) -> ConsultationOut:
    made = await actions.acknowledge(
        kept, consultation, version=body.version, actor=actor, now=utc_now()
    )
    return ConsultationOut.of(made)


@router.post("/{consultation}/cancel")
async def cancel(kept: Kept, actor: Who, consultation: str, body: WithReason) -> ConsultationOut:
    made = await actions.cancel(
        kept, consultation, body.reason, version=body.version, actor=actor, now=utc_now()
    )
    return ConsultationOut.of(made)


@router.post("/{consultation}/redirect", summary="After a refusal, ask another hospital")
async def redirect(kept: Kept, actor: Who, consultation: str, body: Redirection) -> ConsultationOut:
    made = await actions.redirect(
        kept,
        consultation,
        body.expert_organisation,
        body.reason,
        version=body.version,
        actor=actor,
        now=utc_now(),
    )
    return ConsultationOut.of(made)
