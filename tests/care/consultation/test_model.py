"""The table of moves, held against every state, act and side, and against random histories."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.care.consultation.model import (
    ALLOWED_MOVES,
    ANSWER_WITHIN,
    OPEN,
    WAITS_ON,
    Act,
    Consultation,
    Evidence,
    Need,
    Opinion,
    Report,
    Request,
    Side,
    State,
    Step,
    Urgency,
    act_between,
    check_report,
    move,
    permitted,
    side_of,
    stays,
)
from serai.kernel.actor import Actor, Kind
from serai.kernel.errors import Conflict, Forbidden, Invalid, SeraiError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def staff(role: str, organisation: str, practitioner: str) -> Actor:
    return Actor(
        id=practitioner,
        kind=Kind.STAFF,
        name=practitioner,
        role=role,
        organisation=organisation,
        practitioner=practitioner,
    )


COUNTY_DOCTOR = staff("doctor", "county", "dr-county")
LEAD_DESK = staff("desk", "lead", "ms-desk")
LEAD_EXPERT = staff("expert", "lead", "prof-lead")
OTHER_EXPERT = staff("expert", "lead", "prof-other")
STRANGER = staff("doctor", "township", "dr-township")
BY_SIDE = {Side.REQUESTER: COUNTY_DOCTOR, Side.DESK: LEAD_DESK, Side.EXPERT: LEAD_EXPERT}
SIGNED = Report("report", "final", signer="prof-lead")
ENOUGH = Evidence(
    expert="prof-lead", expert_name="Prof", reason="because", message="c1", report=SIGNED
)


def a_consultation(state: State = State.DRAFT) -> Consultation:
    return Consultation(
        id="c",
        version=1,
        state=state,
        patient="p",
        patient_name="Zhang Wei",
        requester_organisation="county",
        requester="dr-county",
        request=Request(
            reason="Headache",
            question="Bleeding?",
            specialty="radiology",
            expert_organisation="lead",
        ),
        drafted_at=NOON,
        changed_at=NOON,
        expert=None if state in (State.DRAFT, State.SENT) else "prof-lead",
        report=SIGNED if state in (State.REPORTED, State.CLOSED) else None,
    )


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("state", list(State))
def test_a_move_succeeds_only_from_its_states_by_its_sides(
    state: State, act: Act, side: Side
) -> None:
    consultation = a_consultation(state)
    actor = BY_SIDE[side]
    row = ALLOWED_MOVES[act]
    if state not in row.sources:
        with pytest.raises(Conflict) as refusal:
            move(consultation, act, actor=actor, at=NOON, evidence=ENOUGH)
        assert refusal.value.key == "consultation.illegal-move"
        assert refusal.value.details == {"current": state, "wanted": act}
    elif not row.sides & side_of(consultation, actor):
        with pytest.raises(Forbidden):
            move(consultation, act, actor=actor, at=NOON, evidence=ENOUGH)
    else:
        moved = move(consultation, act, actor=actor, at=NOON, evidence=ENOUGH)
        assert moved.state is row.target
        assert act in permitted(consultation, actor)


@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("state", list(State))
def test_a_stranger_makes_no_move_at_all(state: State, act: Act) -> None:
    with pytest.raises(SeraiError):
        move(a_consultation(state), act, actor=STRANGER, at=NOON, evidence=ENOUGH)
    assert permitted(a_consultation(state), STRANGER) == frozenset()


@pytest.mark.parametrize("role", ["admin", "desk", "system", ""])
def test_only_clinicians_ask_and_acknowledge(role: str) -> None:
    someone = staff(role, "county", "dr-county")
    with pytest.raises(Forbidden):
        move(a_consultation(State.REPORTED), Act.ACKNOWLEDGE, actor=someone, at=NOON)


def test_an_expert_who_was_not_assigned_cannot_accept_or_sign() -> None:
    for state, act in [(State.ASSIGNED, Act.ACCEPT), (State.IN_PROGRESS, Act.SIGN)]:
        with pytest.raises(Forbidden):
            move(a_consultation(state), act, actor=OTHER_EXPERT, at=NOON, evidence=ENOUGH)


def test_the_expert_hospital_has_no_side_while_it_is_a_draft() -> None:
    assert side_of(a_consultation(State.DRAFT), LEAD_DESK) == frozenset()


@pytest.mark.parametrize(
    ("act", "state", "key"),
    [
        (Act.DECLINE, State.ASSIGNED, "consultation.reason-missing"),
        (Act.CANCEL, State.SENT, "consultation.reason-missing"),
        (Act.ASSIGN, State.SENT, "consultation.expert-missing"),
        (Act.ASK, State.IN_PROGRESS, "consultation.message-missing"),
        (Act.ANSWER, State.ASKED, "consultation.message-missing"),
        (Act.SIGN, State.IN_PROGRESS, "consultation.opinion-not-signed"),
    ],
)
def test_a_move_without_what_it_needs_is_refused(act: Act, state: State, key: str) -> None:
    side = next(iter(sorted(ALLOWED_MOVES[act].sides, reverse=True)))
    actor = BY_SIDE[Side.EXPERT if Side.EXPERT in ALLOWED_MOVES[act].sides else side]
    with pytest.raises(Invalid) as refusal:
        move(a_consultation(state), act, actor=actor, at=NOON, evidence=Evidence(reason="  "))
    assert refusal.value.key == key


@pytest.mark.parametrize("missing", ["reason", "question", "specialty"])
def test_an_incomplete_request_is_not_sent(missing: str) -> None:
    draft = a_consultation()
    empty: dict[str, str] = {missing: " "}
    draft = replace(draft, request=replace(draft.request, **empty))  # type: ignore[arg-type]
    with pytest.raises(Invalid) as refusal:
        move(draft, Act.SEND, actor=COUNTY_DOCTOR, at=NOON)
    assert refusal.value.key == f"consultation.{missing}-missing"


@pytest.mark.parametrize("hospital", [None, "county"])
def test_a_request_goes_to_another_hospital(hospital: str | None) -> None:
    draft = a_consultation()
    draft = replace(draft, request=replace(draft.request, expert_organisation=hospital))
    with pytest.raises(Invalid):
        move(draft, Act.SEND, actor=COUNTY_DOCTOR, at=NOON)


@pytest.mark.parametrize("status", ["registered", "partial", "preliminary", "cancelled"])
def test_a_report_that_is_not_final_neither_signs_nor_closes(status: str) -> None:
    unsigned = Report("report", status, signer="prof-lead")
    with pytest.raises(Invalid):
        move(
            a_consultation(State.IN_PROGRESS),
            Act.SIGN,
            actor=LEAD_EXPERT,
            at=NOON,
            evidence=Evidence(report=unsigned),
        )
    reported = replace(a_consultation(State.REPORTED), report=unsigned)
    with pytest.raises(Conflict):
        move(reported, Act.ACKNOWLEDGE, actor=COUNTY_DOCTOR, at=NOON)


def test_nobody_signs_with_the_name_of_another() -> None:
    with pytest.raises(Invalid):
        move(
            a_consultation(State.IN_PROGRESS),
            Act.SIGN,
            actor=LEAD_EXPERT,
            at=NOON,
            evidence=Evidence(report=Report("report", "final", signer="prof-other")),
        )


moves = st.lists(
    st.tuples(
        st.sampled_from(list(Act)),
        st.sampled_from([COUNTY_DOCTOR, LEAD_DESK, LEAD_EXPERT, OTHER_EXPERT, STRANGER]),
        st.builds(
            Evidence,
            expert=st.sampled_from([None, "prof-lead", "prof-other"]),
            reason=st.sampled_from(["", "because"]),
            message=st.sampled_from([None, "c1"]),
            report=st.builds(
                Report,
                id=st.just("report"),
                status=st.sampled_from(["preliminary", "final", "amended", "entered-in-error"]),
                signer=st.sampled_from([None, "prof-lead", "prof-other"]),
            )
            | st.none(),
        ),
    ),
    max_size=60,
)


@given(moves)
def test_no_history_closes_without_a_final_report_and_the_requesters_acknowledgement(
    history: list[tuple[Act, Actor, Evidence]],
) -> None:
    consultation = a_consultation()
    made: list[tuple[Act, Actor]] = []
    for act, actor, evidence in history:
        try:
            consultation = move(consultation, act, actor=actor, at=NOON, evidence=evidence)
        except SeraiError:
            continue
        made.append((act, actor))
    if consultation.state is State.CLOSED:
        assert consultation.report is not None
        assert consultation.report.signed
        assert made[-1] == (Act.ACKNOWLEDGE, COUNTY_DOCTOR)
        assert Act.SIGN in [act for act, _ in made]


@pytest.mark.parametrize("state", [State.CLOSED, State.CANCELLED])
def test_the_end_is_the_end(state: State) -> None:
    assert not [act for act, row in ALLOWED_MOVES.items() if state in row.sources]


def test_every_state_but_the_draft_is_reached_and_every_open_state_waits_on_somebody() -> None:
    assert {row.target for row in ALLOWED_MOVES.values()} == set(State)
    assert set(WAITS_ON) >= OPEN


def test_source_and_target_name_one_act_only() -> None:
    pairs = [(source, row.target) for row in ALLOWED_MOVES.values() for source in row.sources]
    assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("wanted", list(State))
@pytest.mark.parametrize("current", list(State))
def test_a_change_of_state_is_recognised_as_the_act_of_the_table(
    current: State, wanted: State
) -> None:
    act = act_between(a_consultation(current), a_consultation(wanted))
    expected = [
        name
        for name, row in ALLOWED_MOVES.items()
        if current in row.sources and row.target is wanted
    ]
    assert ([act] if act else []) == expected


@pytest.mark.parametrize("urgency", list(Urgency))
def test_each_urgency_has_its_clock(urgency: Urgency) -> None:
    draft = a_consultation()
    draft = replace(draft, request=replace(draft.request, urgency=urgency))
    sent = move(draft, Act.SEND, actor=COUNTY_DOCTOR, at=NOON)
    assert sent.due_at == NOON + ANSWER_WITHIN[urgency]
    assert not sent.overdue(NOON + ANSWER_WITHIN[urgency])
    assert sent.overdue(NOON + ANSWER_WITHIN[urgency] + timedelta(seconds=1))


def test_a_draft_and_a_reported_consultation_are_never_overdue() -> None:
    later = NOON + timedelta(days=365)
    assert not a_consultation(State.DRAFT).overdue(later)
    reported = replace(a_consultation(State.REPORTED), sent_at=NOON)
    assert not reported.overdue(later)


def test_waiting_time_is_counted_for_each_state_and_runs_on_in_the_last() -> None:
    steps = (
        Step(State.SENT, NOON, 2),
        Step(State.ASSIGNED, NOON + timedelta(minutes=10), 3),
        Step(State.ACCEPTED, NOON + timedelta(minutes=25), 4),
    )
    waited = stays(steps, NOON + timedelta(hours=1))
    assert [stay.waited for stay in waited] == [
        timedelta(minutes=10),
        timedelta(minutes=15),
        timedelta(minutes=35),
    ]
    assert [stay.lasts for stay in waited] == [False, False, True]


def test_waiting_ends_with_the_consultation() -> None:
    waited = stays((Step(State.CLOSED, NOON, 9),), NOON + timedelta(days=3))
    assert waited[0].waited == timedelta()
    assert not waited[0].lasts


@pytest.mark.parametrize(
    ("state", "old", "new"),
    [
        (State.IN_PROGRESS, None, "preliminary"),
        (State.IN_PROGRESS, "preliminary", "preliminary"),
        (State.IN_PROGRESS, "preliminary", "final"),
        (State.IN_PROGRESS, None, "final"),
        (State.REPORTED, "final", "amended"),
        (State.REPORTED, "amended", "amended"),
    ],
)
def test_the_assigned_expert_drafts_signs_and_corrects_the_opinion(
    state: State, old: str | None, new: str
) -> None:
    check_report(a_consultation(state), old, new, actor=LEAD_EXPERT)
    with pytest.raises(Forbidden):
        check_report(a_consultation(state), old, new, actor=OTHER_EXPERT)


@pytest.mark.parametrize(
    ("state", "old", "new"),
    [
        (State.SENT, None, "preliminary"),
        (State.ACCEPTED, None, "final"),
        (State.REPORTED, "final", "final"),
        (State.REPORTED, "final", "preliminary"),
        (State.REPORTED, "final", "entered-in-error"),
        (State.CLOSED, "final", "amended"),
        (State.CANCELLED, "preliminary", "final"),
        (State.IN_PROGRESS, "preliminary", "amended"),
        (State.IN_PROGRESS, "cancelled", "final"),
    ],
)
def test_any_other_change_of_an_opinion_is_refused(state: State, old: str | None, new: str) -> None:
    with pytest.raises(Conflict):
        check_report(a_consultation(state), old, new, actor=LEAD_EXPERT)


def test_an_opinion_without_a_conclusion_is_not_complete() -> None:
    assert not Opinion(findings="Much text", conclusion=" ").complete
    assert Opinion(conclusion="No bleeding").complete


def test_what_need_names_is_checked() -> None:
    named = {need for row in ALLOWED_MOVES.values() for need in row.needs}
    assert named == set(Need)
