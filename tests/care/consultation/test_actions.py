"""The acts of a consultation on a real database: what they store, who may, what they show."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.care.hospitals import (
    COUNTY_DOCTOR,
    LEAD_DESK,
    LEAD_EXPERT,
    NOON,
    OPINION,
    OTHER_EXPERT,
    PARTNER_DESK,
    REQUEST,
    TOWNSHIP_DOCTOR,
    Loop,
    actor,
    an_observation,
    put,
)

from serai.care.consultation import actions, records
from serai.care.consultation.model import Opinion, State, stays
from serai.care.consultation.records import Consultations
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.errors import Conflict, Forbidden, Invalid, NotFound, SeraiError


async def read(kept: Consultations, reference: str, by: Actor) -> dict[str, Any] | None:
    kind, _, logical_id = reference.partition("/")
    async with kept.db.connection() as c:
        return await records.read(kept.fhir, c, kind, logical_id, actor=by)


async def test_the_whole_loop_closes_and_says_so_in_fhir(loop: Loop) -> None:
    closed = await loop.until(State.CLOSED)
    task = await read(loop.kept, f"Task/{loop.id}", COUNTY_DOCTOR)
    request = await read(loop.kept, f"ServiceRequest/{closed.service_request}", COUNTY_DOCTOR)
    report = await read(loop.kept, f"DiagnosticReport/{loop.id}", COUNTY_DOCTOR)
    assert task is not None
    assert request is not None
    assert report is not None
    assert (task["status"], task["businessStatus"]["coding"][0]["code"]) == ("completed", "7.0")
    assert request["status"] == "completed"
    assert report["status"] == "final"
    assert report["conclusion"] == OPINION.conclusion
    assert report["resultsInterpreter"][0]["reference"] == "Practitioner/prof-lead"
    assert report["subject"]["reference"] == "Patient/zhang"


@pytest.mark.parametrize("state", list(State))
async def test_every_state_survives_storing(loop: Loop, state: State) -> None:
    made = await loop.until(state)
    read_back = await actions.read(loop.kept, loop.id, actor=COUNTY_DOCTOR)
    assert replace(read_back, changed_at=made.changed_at, version=made.version) == made


async def test_each_step_tells_who_when_and_how_long_it_waited(loop: Loop) -> None:
    await loop.until(State.CLOSED)
    async with loop.kept.db.connection() as c:
        steps = await records.steps(loop.kept.fhir, c, loop.id, actor=COUNTY_DOCTOR)
    assert [step.state for step in steps] == [
        State.DRAFT,
        State.SENT,
        State.ASSIGNED,
        State.ACCEPTED,
        State.IN_PROGRESS,
        State.REPORTED,
        State.CLOSED,
    ]
    assert [step.by for step in steps] == [
        "dr-county",
        "dr-county",
        "desk-lead",
        "prof-lead",
        "prof-lead",
        "prof-lead",
        "dr-county",
    ]
    assert steps[2].organisation == "lead"
    waited = stays(steps, NOON + timedelta(days=9))
    assert [stay.waited for stay in waited] == [timedelta(minutes=1)] * 6 + [timedelta()]


async def test_it_cannot_close_before_the_signed_opinion(loop: Loop) -> None:
    for state in (State.SENT, State.ASSIGNED, State.IN_PROGRESS, State.ASKED):
        await loop.until(state)
        with pytest.raises(Conflict) as refusal:
            await loop.acknowledge()
        assert refusal.value.key == "consultation.illegal-move"


async def test_the_county_answers_what_the_expert_asks(loop: Loop) -> None:
    await loop.until(State.ASKED)
    answered = await loop.answer()
    assert answered.state is State.IN_PROGRESS
    async with loop.kept.db.connection() as c:
        for reader in (COUNTY_DOCTOR, LEAD_EXPERT):
            said = await records.messages(loop.kept.fhir, c, answered.messages, actor=reader)
            assert [message.text for message in said] == ["Since when?", "Since noon."]
            assert [message.sender for message in said] == ["prof-lead", "dr-county"]


async def test_a_question_out_of_turn_leaves_no_message_behind(loop: Loop) -> None:
    sent = await loop.until(State.SENT)
    with pytest.raises(Conflict):
        await loop.ask()
    async with loop.kept.db.connection() as c:
        found = await loop.kept.fhir.find(
            c,
            "Communication",
            ("based-on", f"ServiceRequest/{sent.service_request}"),
            actor=serai_itself,
        )
    assert found == []


async def test_of_two_experts_desks_only_the_first_assigns(loop: Loop) -> None:
    sent = await loop.until(State.SENT)
    results = await asyncio.gather(
        *(
            actions.assign(
                loop.kept, loop.id, expert, version=sent.version, actor=LEAD_DESK, now=loop.later()
            )
            for expert in ("prof-lead", "prof-other")
        ),
        return_exceptions=True,
    )
    refused = [one for one in results if isinstance(one, SeraiError)]
    assert len(refused) == 1
    assert isinstance(refused[0], Conflict)
    assert refused[0].key == "consultation.changed-meanwhile"


async def test_a_page_that_is_out_of_date_moves_nothing(loop: Loop) -> None:
    sent = await loop.until(State.SENT)
    await loop.assign()
    with pytest.raises(Conflict) as refusal:
        await actions.cancel(
            loop.kept, loop.id, "x", version=sent.version, actor=COUNTY_DOCTOR, now=loop.later()
        )
    assert refusal.value.key == "consultation.changed-meanwhile"


async def test_only_staff_who_treat_patients_there_can_be_assigned(loop: Loop) -> None:
    await loop.until(State.SENT)
    for expert in ("dr-county", "desk-lead", "nobody", ""):
        with pytest.raises(Invalid):
            await loop.assign(expert)


async def test_a_reassigned_expert_has_no_more_say(loop: Loop) -> None:
    await loop.until(State.IN_PROGRESS)
    moved = await loop.assign("prof-other")
    assert (moved.state, moved.expert, moved.expert_name) == (
        State.ASSIGNED,
        "prof-other",
        "Prof. Wu Jun",
    )
    with pytest.raises(Forbidden):
        await loop.accept()


async def test_a_drafted_opinion_is_kept_and_seen_by_the_expert_hospital_alone(loop: Loop) -> None:
    await loop.until(State.IN_PROGRESS)
    saved = await actions.save_opinion(
        loop.kept, loop.id, OPINION, draft_version=None, actor=LEAD_EXPERT, now=loop.later()
    )
    draft = await read(loop.kept, f"DiagnosticReport/{saved.id}", LEAD_EXPERT)
    assert draft is not None
    assert draft["status"] == "preliminary"
    assert await read(loop.kept, f"DiagnosticReport/{saved.id}", COUNTY_DOCTOR) is None
    changed = replace(OPINION, advice="None.")
    again = await actions.save_opinion(
        loop.kept,
        loop.id,
        changed,
        draft_version=saved.version,
        actor=LEAD_EXPERT,
        now=loop.later(),
    )
    assert again.version == saved.version + 1
    with pytest.raises(Conflict) as refusal:
        await actions.save_opinion(
            loop.kept,
            loop.id,
            OPINION,
            draft_version=saved.version,
            actor=LEAD_EXPERT,
            now=loop.later(),
        )
    assert refusal.value.key == "consultation.draft-changed"
    await loop.sign()
    signed = await read(loop.kept, f"DiagnosticReport/{saved.id}", COUNTY_DOCTOR)
    assert signed is not None
    assert signed["status"] == "final"


async def test_the_asking_hospital_does_not_see_drafts_in_the_history_either(loop: Loop) -> None:
    await loop.until(State.IN_PROGRESS)
    await actions.save_opinion(
        loop.kept,
        loop.id,
        Opinion(conclusion="First thought"),
        draft_version=None,
        actor=LEAD_EXPERT,
        now=loop.later(),
    )
    await loop.sign()
    async with loop.kept.db.connection() as c:
        with pytest.raises(NotFound):
            await loop.kept.fhir.vread(c, "DiagnosticReport", loop.id, 1, actor=COUNTY_DOCTOR)


async def test_an_opinion_without_conclusion_is_not_signed(loop: Loop) -> None:
    await loop.until(State.IN_PROGRESS)
    with pytest.raises(Invalid):
        await actions.sign(
            loop.kept,
            loop.id,
            Opinion(findings="Much"),
            version=None,
            actor=LEAD_EXPERT,
            now=loop.later(),
        )


async def test_a_correction_keeps_what_was_signed_before(loop: Loop) -> None:
    await loop.until(State.REPORTED)
    corrected = replace(OPINION, conclusion="Small bleeding after all.")
    moved = await actions.amend(
        loop.kept,
        loop.id,
        corrected,
        "Second look",
        version=None,
        actor=LEAD_EXPERT,
        now=loop.later(),
    )
    assert moved.state is State.REPORTED
    async with loop.kept.db.connection() as c:
        versions = await records.opinion_versions(loop.kept.fhir, c, loop.id, actor=COUNTY_DOCTOR)
    assert [(one.status, one.opinion.conclusion, one.correction) for one in versions] == [
        ("final", OPINION.conclusion, ""),
        ("amended", "Small bleeding after all.", "Second look"),
    ]
    closed = await loop.acknowledge()
    assert closed.state is State.CLOSED


async def test_after_acknowledgement_the_opinion_stands(loop: Loop) -> None:
    await loop.until(State.CLOSED)
    with pytest.raises((Conflict, NotFound)):
        await actions.amend(
            loop.kept, loop.id, OPINION, "x", version=None, actor=LEAD_EXPERT, now=loop.later()
        )


async def test_a_refused_request_goes_to_another_hospital_as_a_new_one(loop: Loop) -> None:
    await loop.until(State.DECLINED)
    fresh = await actions.redirect(
        loop.kept,
        loop.id,
        "partner",
        "Asked elsewhere",
        version=None,
        actor=COUNTY_DOCTOR,
        now=loop.later(),
    )
    assert fresh.id != loop.id
    assert (fresh.state, fresh.request.expert_organisation) == (State.SENT, "partner")
    old = await actions.read(loop.kept, loop.id, actor=COUNTY_DOCTOR)
    assert old.state is State.CANCELLED
    assert await read(loop.kept, f"Task/{fresh.id}", PARTNER_DESK) is not None
    assert await read(loop.kept, f"Task/{loop.id}", PARTNER_DESK) is None


SHARED = ("Patient/zhang", "Observation/bp")


async def test_the_expert_hospital_sees_what_was_sent_only_while_it_is_open(loop: Loop) -> None:
    await put(loop.kept, an_observation("private"), by=COUNTY_DOCTOR)
    await loop.until(State.DRAFT)
    for reference in (*SHARED, f"Task/{loop.id}"):
        assert await read(loop.kept, reference, LEAD_EXPERT) is None
    for step in ("send", "assign", "accept", "start", "sign"):
        await getattr(loop, step)()
        for reference in (*SHARED, f"Task/{loop.id}"):
            assert await read(loop.kept, reference, LEAD_EXPERT) is not None
        assert await read(loop.kept, "Observation/private", LEAD_EXPERT) is None
    await loop.acknowledge()
    for reference in (*SHARED, f"Task/{loop.id}"):
        assert await read(loop.kept, reference, LEAD_EXPERT) is None
    assert await read(loop.kept, f"DiagnosticReport/{loop.id}", LEAD_EXPERT) is not None


@pytest.mark.parametrize("end", ["decline", "cancel"])
async def test_refusal_and_cancellation_end_the_sharing_too(loop: Loop, end: str) -> None:
    await loop.until(State.ASSIGNED)
    await getattr(loop, end)()
    for reference in SHARED:
        assert await read(loop.kept, reference, LEAD_EXPERT) is None


async def test_an_unrelated_township_sees_nothing(loop: Loop) -> None:
    sent = await loop.until(State.REPORTED)
    for reference in (
        *SHARED,
        f"Task/{loop.id}",
        f"ServiceRequest/{sent.service_request}",
        f"DiagnosticReport/{loop.id}",
    ):
        assert await read(loop.kept, reference, TOWNSHIP_DOCTOR) is None
    with pytest.raises(NotFound):
        await actions.read(loop.kept, loop.id, actor=TOWNSHIP_DOCTOR)


async def test_nobody_sends_along_the_record_of_another_patient(loop: Loop) -> None:
    other = {"resourceType": "Patient", "id": "wang", "name": [{"text": "Wang"}]}
    await put(loop.kept, other, an_observation("not-his", "wang"), by=COUNTY_DOCTOR)
    await loop.draft(replace(REQUEST, attachments=("Observation/not-his",)))
    with pytest.raises(Invalid) as refusal:
        await loop.send()
    assert refusal.value.key == "consultation.attachment-not-of-patient"


async def test_the_asked_hospital_cannot_pass_the_patient_on(loop: Loop) -> None:
    await loop.until(State.SENT)
    with pytest.raises(Forbidden) as refusal:
        await actions.draft(
            loop.kept,
            "zhang",
            replace(REQUEST, expert_organisation="partner"),
            actor=LEAD_EXPERT,
            now=loop.later(),
        )
    assert refusal.value.key == "consultation.not-your-patient"


async def test_a_desk_cannot_begin_a_consultation(loop: Loop) -> None:
    with pytest.raises(Forbidden):
        await actions.draft(
            loop.kept, "zhang", REQUEST, actor=actor("desk-county"), now=loop.later()
        )


async def test_a_colleague_of_the_asking_doctor_may_acknowledge(loop: Loop) -> None:
    await loop.until(State.REPORTED)
    closed = await actions.acknowledge(
        loop.kept, loop.id, version=None, actor=actor("dr-county-2"), now=loop.later()
    )
    assert closed.state is State.CLOSED


async def test_another_expert_of_the_hospital_reads_but_does_not_write(loop: Loop) -> None:
    await loop.until(State.IN_PROGRESS)
    assert await read(loop.kept, f"Task/{loop.id}", OTHER_EXPERT) is not None
    with pytest.raises(Forbidden):
        await actions.sign(
            loop.kept, loop.id, OPINION, version=None, actor=OTHER_EXPERT, now=loop.later()
        )
