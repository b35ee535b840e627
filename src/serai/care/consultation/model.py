"""Rules of a remote consultation: who may make which move, when, and what it needs.

Pure values. The pages, `/api` and any FHIR client are held to the same table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, Forbidden, Invalid


class State(StrEnum):
    DRAFT = "draft"
    SENT = "sent"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in-progress"
    ASKED = "asked"
    REPORTED = "reported"
    CLOSED = "closed"
    DECLINED = "declined"
    CANCELLED = "cancelled"


class Act(StrEnum):
    EDIT = "edit"
    SEND = "send"
    ASSIGN = "assign"
    REASSIGN = "reassign"
    ACCEPT = "accept"
    DECLINE = "decline"
    START = "start"
    ASK = "ask"
    ANSWER = "answer"
    SIGN = "sign"
    AMEND = "amend"
    ACKNOWLEDGE = "acknowledge"
    CANCEL = "cancel"


class Side(StrEnum):
    """Whose move it is: the asking hospital, the asked hospital's desk, or its expert."""

    REQUESTER = "requester"
    DESK = "desk"
    EXPERT = "expert"


class Need(StrEnum):
    """What a move must bring along."""

    REQUEST = "request"
    EXPERT = "expert"
    REASON = "reason"
    MESSAGE = "message"
    OPINION = "opinion"
    REPORT = "report"


class Urgency(StrEnum):
    """FHIR `request-priority`, most urgent first."""

    STAT = "stat"
    ASAP = "asap"
    URGENT = "urgent"
    ROUTINE = "routine"


ANSWER_WITHIN = {
    Urgency.STAT: timedelta(minutes=30),
    Urgency.ASAP: timedelta(hours=4),
    Urgency.URGENT: timedelta(hours=24),
    Urgency.ROUTINE: timedelta(hours=72),
}

CLINICIANS = frozenset({"doctor", "expert"})
ROLES = {
    Side.REQUESTER: CLINICIANS,
    Side.DESK: frozenset({"desk"}),
    Side.EXPERT: CLINICIANS,
}

OPEN = frozenset(State) - {State.DRAFT, State.CLOSED, State.DECLINED, State.CANCELLED}
WAITS_ON = {
    State.DRAFT: Side.REQUESTER,
    State.SENT: Side.DESK,
    State.ASSIGNED: Side.EXPERT,
    State.ACCEPTED: Side.EXPERT,
    State.IN_PROGRESS: Side.EXPERT,
    State.ASKED: Side.REQUESTER,
    State.REPORTED: Side.REQUESTER,
    State.DECLINED: Side.REQUESTER,
}


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table of allowed moves."""

    sources: frozenset[State]
    target: State
    sides: frozenset[Side]
    needs: frozenset[Need] = frozenset()


def _row(sources: tuple[State, ...], target: State, sides: tuple[Side, ...], *needs: Need) -> Move:
    return Move(frozenset(sources), target, frozenset(sides), frozenset(needs))


_WITH_EXPERT = (State.ASSIGNED, State.ACCEPTED, State.IN_PROGRESS, State.ASKED)

ALLOWED_MOVES: dict[Act, Move] = {
    Act.EDIT: _row((State.DRAFT,), State.DRAFT, (Side.REQUESTER,)),
    Act.SEND: _row((State.DRAFT,), State.SENT, (Side.REQUESTER,), Need.REQUEST),
    Act.ASSIGN: _row((State.SENT,), State.ASSIGNED, (Side.DESK,), Need.EXPERT),
    Act.REASSIGN: _row(_WITH_EXPERT, State.ASSIGNED, (Side.DESK,), Need.EXPERT),
    Act.ACCEPT: _row((State.ASSIGNED,), State.ACCEPTED, (Side.EXPERT,)),
    Act.DECLINE: _row(
        (State.SENT, State.ASSIGNED), State.DECLINED, (Side.DESK, Side.EXPERT), Need.REASON
    ),
    Act.START: _row((State.ACCEPTED,), State.IN_PROGRESS, (Side.EXPERT,)),
    Act.ASK: _row((State.ACCEPTED, State.IN_PROGRESS), State.ASKED, (Side.EXPERT,), Need.MESSAGE),
    Act.ANSWER: _row((State.ASKED,), State.IN_PROGRESS, (Side.REQUESTER,), Need.MESSAGE),
    Act.SIGN: _row((State.IN_PROGRESS,), State.REPORTED, (Side.EXPERT,), Need.OPINION),
    Act.AMEND: _row((State.REPORTED,), State.REPORTED, (Side.EXPERT,), Need.OPINION, Need.REASON),
    Act.ACKNOWLEDGE: _row((State.REPORTED,), State.CLOSED, (Side.REQUESTER,), Need.REPORT),
    Act.CANCEL: _row(
        (State.DRAFT, State.SENT, *_WITH_EXPERT, State.DECLINED),
        State.CANCELLED,
        (Side.REQUESTER,),
        Need.REASON,
    ),
}

SIGNED = frozenset({"final", "amended", "corrected", "appended"})


@dataclass(frozen=True, slots=True)
class Report:
    """The opinion as far as the rules care: a DiagnosticReport, its status and its signer."""

    id: str
    status: str
    signer: str | None = None

    @property
    def signed(self) -> bool:
        return self.status in SIGNED


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the expert writes."""

    findings: str = ""
    conclusion: str = ""
    advice: str = ""

    @property
    def complete(self) -> bool:
        return bool(self.conclusion.strip())


@dataclass(frozen=True, slots=True)
class Request:
    """What the asking doctor writes and attaches; `attachments` are FHIR references."""

    reason: str = ""
    question: str = ""
    summary: str = ""
    urgency: Urgency = Urgency.ROUTINE
    specialty: str = ""
    expert_organisation: str | None = None
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Consultation:
    """One consultation: the request and how far it has come."""

    id: str
    version: int
    state: State
    patient: str
    patient_name: str
    requester_organisation: str
    requester: str
    request: Request
    drafted_at: datetime
    changed_at: datetime
    sent_at: datetime | None = None
    expert: str | None = None
    expert_name: str = ""
    reason: str = ""
    report: Report | None = None
    messages: tuple[str, ...] = ()
    service_request: str = ""

    @property
    def waits_on(self) -> Side | None:
        return WAITS_ON.get(self.state)

    @property
    def due_at(self) -> datetime | None:
        """When the asking doctor should have the opinion, by urgency."""
        return self.sent_at and self.sent_at + ANSWER_WITHIN[self.request.urgency]

    def overdue(self, now: datetime) -> bool:
        return (
            self.state in OPEN - {State.REPORTED} and self.due_at is not None and self.due_at < now
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the actor brings to a move."""

    expert: str | None = None
    expert_name: str = ""
    reason: str = ""
    message: str | None = None
    report: Report | None = None


NOTHING = Evidence()


def side_of(consultation: Consultation, actor: Actor) -> frozenset[Side]:
    """The sides on which this actor stands, by organisation, role and assignment."""
    sides = set()
    if actor.organisation is None or actor.practitioner is None:
        return frozenset()
    if actor.organisation == consultation.requester_organisation:
        sides.add(Side.REQUESTER)
    if (
        actor.organisation == consultation.request.expert_organisation
        and consultation.state is not State.DRAFT
    ):
        sides.add(Side.DESK)
        if actor.practitioner == consultation.expert:
            sides.add(Side.EXPERT)
    return frozenset(side for side in sides if actor.role in ROLES[side])


def permitted(consultation: Consultation, actor: Actor) -> frozenset[Act]:
    """The moves this actor could make now, given what they need."""
    mine = side_of(consultation, actor)
    return frozenset(
        act
        for act, row in ALLOWED_MOVES.items()
        if consultation.state in row.sources and mine & row.sides
    )


def move(
    consultation: Consultation,
    act: Act,
    *,
    actor: Actor,
    at: datetime,
    evidence: Evidence = NOTHING,
) -> Consultation:
    """The consultation after the move, or a refusal that says why."""
    row = ALLOWED_MOVES[act]
    if consultation.state not in row.sources:
        raise Conflict("consultation.illegal-move", current=consultation.state, wanted=act)
    if not side_of(consultation, actor) & row.sides:
        raise Forbidden("consultation.not-your-move", current=consultation.state, wanted=act)
    for need in sorted(row.needs):
        _require(need, consultation, evidence, actor)
    return replace(
        consultation,
        state=row.target,
        changed_at=at,
        sent_at=at if act is Act.SEND else consultation.sent_at,
        expert=evidence.expert if Need.EXPERT in row.needs else consultation.expert,
        expert_name=evidence.expert_name if Need.EXPERT in row.needs else consultation.expert_name,
        reason=evidence.reason if Need.REASON in row.needs else "",
        report=evidence.report if Need.OPINION in row.needs else consultation.report,
        messages=(*consultation.messages, evidence.message)
        if evidence.message and Need.MESSAGE in row.needs
        else consultation.messages,
    )


def _require(need: Need, consultation: Consultation, evidence: Evidence, actor: Actor) -> None:
    if need is Need.REQUEST:
        _require_complete(consultation)
    elif need is Need.EXPERT and not evidence.expert:
        raise Invalid("consultation.expert-missing")
    elif need is Need.REASON and not evidence.reason.strip():
        raise Invalid("consultation.reason-missing")
    elif need is Need.MESSAGE and not evidence.message:
        raise Invalid("consultation.message-missing")
    elif need is Need.OPINION and not _signed_by(evidence.report, actor):
        raise Invalid("consultation.opinion-not-signed")
    elif need is Need.REPORT and not (consultation.report and consultation.report.signed):
        raise Conflict("consultation.no-final-report", current=consultation.state)


def _require_complete(consultation: Consultation) -> None:
    request = consultation.request
    for name in ("reason", "question", "specialty"):
        if not getattr(request, name).strip():
            raise Invalid(f"consultation.{name}-missing")
    if not request.expert_organisation:
        raise Invalid("consultation.hospital-missing")
    if request.expert_organisation == consultation.requester_organisation:
        raise Invalid("consultation.own-hospital")


def _signed_by(report: Report | None, actor: Actor) -> bool:
    return report is not None and report.signed and report.signer == actor.practitioner


def act_between(before: Consultation, after: Consultation) -> Act | None:
    """The act that leads from one state to the other; None when no row of the table does."""
    for act, row in ALLOWED_MOVES.items():
        if before.state in row.sources and row.target is after.state:
            return act
    return None


# What may follow what in a report, and in which state of the consultation. The first element
# None is a report that does not exist yet.
_DRAFTS = frozenset({"registered", "partial", "preliminary"})
_CORRECTIONS = frozenset({"amended", "corrected", "appended"})


def check_report(
    consultation: Consultation, old_status: str | None, new_status: str, *, actor: Actor
) -> None:
    """Refuse any change of an opinion that is not drafting, signing or correcting it."""
    wanted = _report_act(old_status, new_status)
    states = {State.REPORTED} if wanted is Act.AMEND else {State.IN_PROGRESS}
    if wanted is None or consultation.state not in states:
        raise Conflict(
            "consultation.illegal-report-change",
            current=consultation.state,
            before=old_status,
            wanted=new_status,
        )
    if Side.EXPERT not in side_of(consultation, actor):
        raise Forbidden("consultation.not-your-opinion")


def _report_act(old_status: str | None, new_status: str) -> Act | None:
    if old_status in SIGNED:
        return Act.AMEND if new_status in _CORRECTIONS else None
    if old_status is None or old_status in _DRAFTS:
        return Act.SIGN if new_status in _DRAFTS | {"final"} else None
    return None


@dataclass(frozen=True, slots=True)
class Step:
    """One move that was made: who, when, with what reason."""

    state: State
    at: datetime
    version: int
    by: str = ""
    by_name: str = ""
    organisation: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stay:
    """How long the consultation stood in the state a step led to."""

    step: Step
    waited: timedelta
    lasts: bool


def stays(steps: tuple[Step, ...], now: datetime) -> tuple[Stay, ...]:
    """The waiting time after each step; the last one lasts until now unless all is over."""
    over = {State.CLOSED, State.CANCELLED}
    result = []
    for index, step in enumerate(steps):
        last = index + 1 == len(steps)
        until = now if last else steps[index + 1].at
        waited = timedelta() if last and step.state in over else until - step.at
        result.append(Stay(step, max(waited, timedelta()), last and step.state not in over))
    return tuple(result)
