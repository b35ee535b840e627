"""A FHIR client is held to the same moves as a page, whatever it writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.care.hospitals import (
    COUNTY_DOCTOR,
    LEAD_DESK,
    LEAD_EXPERT,
    OPINION,
    OTHER_EXPERT,
    REQUEST,
    TOWNSHIP_DOCTOR,
    Loop,
    put,
)

from serai.care.consultation.model import State, act_between
from serai.care.consultation.records import words
from serai.fhir.body import of
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.clock import instant
from serai.kernel.errors import Conflict, Forbidden, Invalid, SeraiError

Resource = dict[str, Any]


async def read(loop: Loop, kind: str, logical_id: str) -> Resource:
    async with loop.kept.db.connection() as c:
        stored = await loop.kept.fhir.read(c, kind, logical_id, actor=serai_itself)
        return stored.data


async def task_of(loop: Loop) -> Resource:
    return await read(loop, "Task", loop.id)


async def write(loop: Loop, resource: Resource, by: Actor) -> None:
    await put(loop.kept, resource, by=by, at=loop.later())


def moved_by(actor: Actor) -> list[Resource]:
    return [
        {
            "url": words.MOVE,
            "extension": [
                {
                    "url": "by",
                    "valueReference": {"reference": f"Practitioner/{actor.practitioner}"},
                },
                {
                    "url": "for",
                    "valueReference": {"reference": f"Organization/{actor.organisation}"},
                },
            ],
        }
    ]


def in_state(task: Resource, state: State, by: Actor) -> Resource:
    status, business = words.IN_FHIR[state]
    coding = {"system": words.BUSINESS_STATUS, "code": business}
    return task | {
        "status": status,
        "businessStatus": {"coding": [coding]},
        "extension": moved_by(by),
    }


async def test_an_expert_may_accept_by_a_plain_fhir_update(loop: Loop) -> None:
    await loop.until(State.ASSIGNED)
    await write(loop, in_state(await task_of(loop), State.ACCEPTED, LEAD_EXPERT), LEAD_EXPERT)
    assert words.state_of(await task_of(loop)) is State.ACCEPTED


async def test_sending_by_fhir_opens_the_record_to_the_asked_hospital(loop: Loop) -> None:
    draft = await loop.until(State.DRAFT)
    task = in_state(await task_of(loop), State.SENT, COUNTY_DOCTOR)
    task["restriction"]["period"] = {"start": instant(loop.at), "end": instant(loop.at)}
    await write(loop, task, COUNTY_DOCTOR)
    async with loop.kept.db.connection() as c:
        for kind, one in (("Patient", draft.patient), ("Observation", "bp")):
            await loop.kept.fhir.read(c, kind, one, actor=LEAD_DESK)


@pytest.mark.parametrize("current", list(State))
async def test_an_illegal_change_of_status_is_refused(loop: Loop, current: State) -> None:
    before = await loop.until(current)
    task = await task_of(loop)
    for wanted in State:
        if act_between(before, replace(before, state=wanted)) is not None:
            continue
        for by in (COUNTY_DOCTOR, LEAD_DESK, LEAD_EXPERT):
            with pytest.raises((Conflict, Forbidden)):
                await write(loop, in_state(task, wanted, by), by)
    assert words.state_of(await task_of(loop)) is current


async def test_the_wrong_side_is_refused(loop: Loop) -> None:
    await loop.until(State.ASSIGNED)
    for by in (COUNTY_DOCTOR, LEAD_DESK, OTHER_EXPERT):
        with pytest.raises(Forbidden):
            await write(loop, in_state(await task_of(loop), State.ACCEPTED, by), by)


async def test_a_machine_of_no_organisation_makes_no_move(loop: Loop) -> None:
    await loop.until(State.ASSIGNED)
    with pytest.raises(Forbidden):
        await write(loop, in_state(await task_of(loop), State.ACCEPTED, LEAD_EXPERT), serai_itself)


async def test_nobody_moves_in_the_name_of_another(loop: Loop) -> None:
    await loop.until(State.ASSIGNED)
    with pytest.raises(Invalid) as refusal:
        await write(loop, in_state(await task_of(loop), State.ACCEPTED, COUNTY_DOCTOR), LEAD_EXPERT)
    assert refusal.value.key == "consultation.mover-not-named"


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("for", {"reference": "Patient/wang"}),
        ("requester", {"reference": "Organization/township"}),
        ("owner", {"reference": "Practitioner/prof-other"}),
        ("owner", {"reference": "Organization/partner"}),
        ("authoredOn", "2020-01-01T00:00:00Z"),
        ("code", {"text": "something else"}),
        (
            "output",
            [{"type": {"text": "x"}, "valueReference": {"reference": "DiagnosticReport/x"}}],
        ),
        ("restriction", {"recipient": [{"reference": "Organization/lead"}]}),
    ],
)
async def test_what_a_task_is_about_does_not_change_under_cover_of_a_move(
    loop: Loop, element: str, value: Any
) -> None:
    await put(
        loop.kept,
        {"resourceType": "Patient", "id": "wang", "name": [{"text": "Wang"}]},
        by=COUNTY_DOCTOR,
    )
    await loop.until(State.ASSIGNED)
    task = in_state(await task_of(loop), State.ACCEPTED, LEAD_EXPERT) | {element: value}
    with pytest.raises(SeraiError):
        await write(loop, task, LEAD_EXPERT)


async def test_a_consultation_does_not_begin_in_the_middle(loop: Loop) -> None:
    await loop.until(State.ASSIGNED)
    for state in set(State) - {State.DRAFT}:
        task = in_state(await task_of(loop), state, COUNTY_DOCTOR) | {"id": "made-up"}
        with pytest.raises(SeraiError):
            await write(loop, task, COUNTY_DOCTOR)


async def test_nobody_begins_one_for_another_hospital(loop: Loop) -> None:
    await loop.until(State.DRAFT)
    task = (await task_of(loop)) | {"id": "made-up", "extension": moved_by(TOWNSHIP_DOCTOR)}
    with pytest.raises(SeraiError):
        await write(loop, task, TOWNSHIP_DOCTOR)


@pytest.mark.parametrize("kind", ["Task", "ServiceRequest", "DiagnosticReport"])
async def test_what_was_sent_is_not_deleted(loop: Loop, kind: str) -> None:
    reported = await loop.until(State.REPORTED)
    logical_id = reported.service_request if kind == "ServiceRequest" else loop.id
    with pytest.raises(Conflict):
        async with loop.kept.db.transaction() as tx:
            await loop.kept.fhir.delete(tx, kind, logical_id, actor=serai_itself, now=loop.later())


@pytest.mark.parametrize("element", ["note", "supportingInfo", "performer", "status", "code"])
async def test_what_was_asked_stays_as_it_was_sent(loop: Loop, element: str) -> None:
    sent = await loop.until(State.SENT)
    request = await read(loop, "ServiceRequest", sent.service_request)
    altered: Resource = {
        "note": [{"text": "another question"}],
        "supportingInfo": [],
        "performer": [{"reference": "Organization/partner"}],
        "status": "completed",
        "code": {"text": "x"},
    }
    if element == "supportingInfo":
        del request[element]
    else:
        request[element] = altered[element]
    with pytest.raises(Conflict):
        await write(loop, request, COUNTY_DOCTOR)


async def test_the_asked_hospital_cannot_alter_the_request(loop: Loop) -> None:
    sent = await loop.until(State.ACCEPTED)
    request = await read(loop, "ServiceRequest", sent.service_request)
    with pytest.raises(SeraiError):
        await write(loop, request | {"authoredOn": "2020-01-01"}, LEAD_EXPERT)


async def test_the_asked_hospital_cannot_alter_an_older_report_it_was_shown(loop: Loop) -> None:
    older = {
        "resourceType": "DiagnosticReport",
        "id": "older",
        "status": "final",
        "code": {"text": "CT of last year"},
        "subject": {"reference": "Patient/zhang"},
        "conclusion": "Normal",
    }
    await put(loop.kept, older, by=COUNTY_DOCTOR)
    await loop.draft(replace(REQUEST, attachments=("DiagnosticReport/older",)))
    await loop.send()
    with pytest.raises(Forbidden):
        await write(loop, older | {"conclusion": "Abnormal"}, LEAD_EXPERT)


def opinion(loop: Loop, status: str, request: str, by: Actor) -> Resource:
    return {
        "resourceType": "DiagnosticReport",
        "id": loop.id,
        "status": status,
        "basedOn": [{"reference": f"ServiceRequest/{request}"}],
        "code": {"text": "Opinion"},
        "subject": {"reference": "Patient/zhang"},
        "conclusion": OPINION.conclusion,
        "resultsInterpreter": [{"reference": f"Practitioner/{by.practitioner}"}],
    }


async def test_only_the_assigned_expert_writes_an_opinion(loop: Loop) -> None:
    working = await loop.until(State.IN_PROGRESS)
    for by in (COUNTY_DOCTOR, OTHER_EXPERT):
        with pytest.raises(Forbidden):
            await write(loop, opinion(loop, "final", working.service_request, by), by)


async def test_a_signed_opinion_is_not_taken_back(loop: Loop) -> None:
    reported = await loop.until(State.REPORTED)
    for status in ("preliminary", "entered-in-error", "cancelled", "final"):
        with pytest.raises(Conflict):
            await write(
                loop, opinion(loop, status, reported.service_request, LEAD_EXPERT), LEAD_EXPERT
            )
    loose = opinion(loop, "amended", reported.service_request, LEAD_EXPERT)
    del loose["basedOn"]
    with pytest.raises(Conflict):
        await write(loop, loose, LEAD_EXPERT)


async def test_a_task_is_not_reported_without_the_signed_opinion(loop: Loop) -> None:
    working = await loop.until(State.IN_PROGRESS)
    task = in_state(await task_of(loop), State.REPORTED, LEAD_EXPERT)
    with pytest.raises(Invalid):
        await write(loop, task, LEAD_EXPERT)
    drafted = opinion(loop, "preliminary", working.service_request, LEAD_EXPERT)
    await write(loop, drafted, LEAD_EXPERT)
    task["output"] = [
        {"type": {"text": "x"}, "valueReference": {"reference": f"DiagnosticReport/{loop.id}"}}
    ]
    with pytest.raises(Invalid):
        await write(loop, task, LEAD_EXPERT)
    await write(loop, opinion(loop, "final", working.service_request, LEAD_EXPERT), LEAD_EXPERT)
    await write(loop, task, LEAD_EXPERT)
    assert words.state_of(await task_of(loop)) is State.REPORTED


async def test_a_question_back_must_be_the_movers_own(loop: Loop) -> None:
    await loop.until(State.ASKED)
    answered = await task_of(loop)
    task = in_state(answered, State.IN_PROGRESS, COUNTY_DOCTOR)
    task["input"] = [*answered["input"], answered["input"][0]]
    with pytest.raises(Invalid) as refusal:
        await write(loop, task, COUNTY_DOCTOR)
    assert refusal.value.key == "consultation.message-missing"


async def test_a_document_does_not_carry_somebody_elses_pages_along(loop: Loop) -> None:
    foreign = {
        "resourceType": "Binary",
        "id": "foreign",
        "contentType": "text/plain",
        "data": "eA==",
    }
    await put(loop.kept, foreign, by=TOWNSHIP_DOCTOR)
    letter = {
        "resourceType": "DocumentReference",
        "id": "letter",
        "status": "current",
        "subject": {"reference": "Patient/zhang"},
        "content": [{"attachment": {"url": "Binary/foreign"}}],
    }
    await put(loop.kept, letter, by=COUNTY_DOCTOR)
    await loop.draft(replace(REQUEST, attachments=("DocumentReference/letter",)))
    with pytest.raises(Invalid):
        await loop.send()


async def test_other_tasks_and_reports_are_nobodys_business_here(loop: Loop) -> None:
    await put(
        loop.kept,
        {"resourceType": "Task", "id": "t", "status": "completed", "intent": "order"},
        {"resourceType": "DiagnosticReport", "id": "d", "status": "final", "code": {"text": "x"}},
        by=COUNTY_DOCTOR,
    )
    assert of(await read(loop, "Task", "t")).id == "t"
