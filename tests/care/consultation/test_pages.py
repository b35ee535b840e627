"""The pages, `/api` and `/fhir` of a consultation, as browsers and clients meet them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from tests.care.browsing import Browser, browsers
from tests.care.consultation.test_guarding import in_state, task_of
from tests.care.hospitals import COUNTY_DOCTOR, LEAD_EXPERT, REQUEST, Loop, an_observation, put

from serai.care.consultation import actions
from serai.care.consultation.model import State, Urgency
from serai.care.consultation.records import Consultations

People = dict[str, Browser]


@pytest_asyncio.fixture
async def people(kept: Consultations, tmp_path: Path) -> AsyncIterator[People]:
    async with browsers(kept, tmp_path) as signed_in:
        yield signed_in


async def test_the_whole_loop_by_forms_alone(people: People, kept: Consultations) -> None:
    county, desk, expert = people["dr-county"], people["desk-lead"], people["prof-lead"]
    begun = await county.post("/consultations", patient="zhang")
    edit = begun.headers["location"]
    at = edit.removesuffix("/edit")
    saved = await county.post(
        edit,
        reason="Headache",
        question="Bleeding?",
        summary="Since noon",
        urgency="stat",
        specialty="radiology",
        hospital="lead",
        attach=["Observation/bp"],
        then="review",
    )
    assert saved.headers["location"] == f"{at}/review"
    review = await county.get(f"{at}/review")
    assert "Bleeding?" in review.text
    assert "Blood pressure" in review.text
    assert (await county.post(f"{at}/send")).status_code == 303
    waiting = await desk.get("/consultations")
    assert "张伟" in waiting.text
    assert (await desk.post(f"{at}/assign", expert="prof-lead")).status_code == 303
    assert (await expert.post(f"{at}/accept")).status_code == 303
    assert (await expert.post(f"{at}/start")).status_code == 303
    page = (await expert.get(at)).text
    assert "Your opinion" in page
    assert "168/95" in page
    assert (await expert.post(f"{at}/ask", text="Vomiting?")).status_code == 303
    assert (await county.post(f"{at}/answer", text="Twice.")).status_code == 303
    signed = await expert.post(f"{at}/sign", findings="F", conclusion="No bleeding", advice="A")
    assert signed.status_code == 303
    read = (await county.get(at)).text
    assert "No bleeding" in read
    assert "Twice." in read
    printed = await county.get(f"{at}/opinion.pdf")
    assert printed.content.startswith(b"%PDF-")
    assert (await county.post(f"{at}/acknowledge")).status_code == 303
    closed = await actions.read(kept, at.rpartition("/")[2], actor=COUNTY_DOCTOR)
    assert closed.state is State.CLOSED
    assert (await expert.get(at)).status_code == 404
    assert (await people["dr-township"].get(at)).status_code == 404


async def test_a_consultation_starts_only_with_a_fresh_proof_of_who_the_doctor_is(
    people: People, loop: Loop, kept: Consultations
) -> None:
    for step in (loop.draft, loop.send, loop.assign):
        await step()
    accepted = await loop.accept()
    expert, at = people["prof-lead"], f"/consultations/{accepted.id}"
    async with kept.db.connection() as c:
        await c.execute("UPDATE account_session SET proved_at = proved_at - interval '1 hour'")
    refused = await expert.post(f"{at}/start")
    assert refused.headers["location"].startswith("/signin/again?next=")
    assert (await actions.read(kept, accepted.id, actor=LEAD_EXPERT)).state is State.ACCEPTED
    async with kept.db.connection() as c:
        await c.execute("UPDATE account_session SET proved_at = now()")
    assert (await expert.post(f"{at}/start")).headers["location"] == at
    assert (await actions.read(kept, accepted.id, actor=LEAD_EXPERT)).state is State.IN_PROGRESS


async def test_a_button_of_yesterday_is_refused_with_the_page_as_it_is(
    people: People, loop: Loop
) -> None:
    sent = await loop.until(State.SENT)
    await loop.assign()
    at = f"/consultations/{loop.id}"
    answer = await people["dr-county"].post(f"{at}/cancel", reason="x", version=str(sent.version))
    assert answer.status_code == 409
    assert "Somebody else changed this consultation" in answer.text
    assert "Assigned" in answer.text


async def test_only_ones_own_moves_have_buttons(people: People, loop: Loop) -> None:
    await loop.until(State.ASSIGNED)
    at = f"/consultations/{loop.id}"
    expert, county = (
        (await people["prof-lead"].get(at)).text,
        (await people["dr-county"].get(at)).text,
    )
    assert f'action="{at}/accept"' in expert
    assert f'action="{at}/accept"' not in county
    assert f'action="{at}/cancel"' in county
    assert f'action="{at}/cancel"' not in expert


async def test_an_answer_brings_more_of_the_record_along(
    people: People, kept: Consultations, loop: Loop
) -> None:
    await put(kept, an_observation("tsh") | {"code": {"text": "Thyrotropin"}}, by=COUNTY_DOCTOR)
    await loop.until(State.ASKED)
    at = f"/consultations/{loop.id}"
    assert "Thyrotropin" in (await people["dr-county"].get(at)).text
    assert "Thyrotropin" not in (await people["prof-lead"].get(at)).text
    sent = await people["dr-county"].post(f"{at}/answer", text="See TSH", attach="Observation/tsh")
    assert sent.status_code == 303
    assert "Thyrotropin" in (await people["prof-lead"].get(at)).text


async def test_who_declines_comes_back_to_the_worklist(people: People, loop: Loop) -> None:
    await loop.until(State.ASSIGNED)
    declined = await people["prof-lead"].post(f"/consultations/{loop.id}/decline", reason="No MR")
    assert declined.headers["location"] == "/consultations"
    assert "No MR" in (await people["dr-county"].get(f"/consultations/{loop.id}")).text


async def test_a_draft_that_lacks_something_is_not_sent_and_says_what(
    people: People, kept: Consultations
) -> None:
    county = people["dr-county"]
    edit = (await county.post("/consultations", patient="zhang")).headers["location"]
    answer = await county.post(edit.replace("/edit", "/send"))
    assert answer.status_code == 422
    assert "Give the reason." in answer.text


async def test_the_form_saves_itself(people: People) -> None:
    county = people["dr-county"]
    edit = (await county.post("/consultations", patient="zhang")).headers["location"]
    fields = {"_csrf": county.secret, "reason": "Half a word", "version": ""}
    saved = await county.client.post(edit, data=fields, headers={"X-Autosave": "1"})
    assert saved.json()["version"] >= 2
    stale = await county.client.post(
        edit, data=fields | {"version": "1"}, headers={"X-Autosave": "1"}
    )
    assert stale.status_code == 409
    assert "Half a word" in (await county.get(edit)).text


async def test_the_opinion_saves_itself(people: People, loop: Loop) -> None:
    await loop.until(State.IN_PROGRESS)
    expert, at = people["prof-lead"], f"/consultations/{loop.id}"
    fields = {"_csrf": expert.secret, "findings": "A mass", "draft_version": ""}
    saved = await expert.client.post(f"{at}/opinion", data=fields, headers={"X-Autosave": "1"})
    assert saved.json() == {"draft_version": 1}
    assert "A mass" in (await expert.get(at)).text
    assert "A mass" not in (await people["dr-county"].get(at)).text


async def test_worklists_sort_count_and_filter(people: People, loop: Loop) -> None:
    county, desk = people["dr-county"], people["desk-lead"]
    await loop.until(State.SENT)
    first = loop.id
    await loop.until(State.IN_PROGRESS)
    await loop.until(State.CLOSED)
    found = (await county.get("/api/consultations?view=ours")).json()
    assert found["by_state"]["sent"] == 1
    assert found["by_state"]["in-progress"] == 1
    assert found["by_view"]["ours"] == 2
    assert found["items"][0]["id"] == first
    to_assign = (await desk.get("/api/consultations?view=to-assign")).json()
    assert [item["id"] for item in to_assign["items"]] == [first]
    mine = (await people["prof-lead"].get("/api/consultations?view=mine")).json()
    assert [item["state"] for item in mine["items"]] == ["in-progress"]
    closed = (await county.get("/api/consultations?state=closed")).json()
    assert [item["state"] for item in closed["items"]] == ["closed"]
    for text, count in (("张", 2), ("headache", 2), ("100%", 0)):
        found = (await county.client.get("/api/consultations", params={"q": text})).json()
        assert len(found["items"]) == count
    assert (await people["dr-township"].get("/api/consultations")).json()["items"] == []
    assert (await desk.get("/consultations?urgency=routine")).status_code == 200


async def test_the_most_urgent_comes_first_and_then_the_longest_wait(
    people: People, loop: Loop
) -> None:
    ids = []
    for urgency in (Urgency.ROUTINE, Urgency.STAT, Urgency.URGENT, Urgency.STAT):
        ids.append((await loop.draft(replace(REQUEST, urgency=urgency))).id)
        await loop.send()
    found = (await people["desk-lead"].get("/api/consultations?view=to-assign")).json()
    assert [item["id"] for item in found["items"]] == [ids[1], ids[3], ids[2], ids[0]]


async def test_a_draft_is_changed_over_the_api(people: People, loop: Loop) -> None:
    await loop.draft()
    path = f"/api/consultations/{loop.id}"
    version = (await people["dr-county"].get(path)).json()["version"]
    wanted = {"reason": "Headache", "question": "A bleeding?", "version": version}
    changed = await people["dr-county"].send("PUT", f"{path}/request", wanted)
    assert (changed.status_code, changed.json()["reason"]) == (200, "Headache")
    stale = await people["dr-county"].send("PUT", f"{path}/request", wanted)
    assert stale.status_code in (409, 412)


async def test_api_moves_follow_the_same_rules(people: People, loop: Loop) -> None:
    await loop.until(State.ASSIGNED)
    path = f"/api/consultations/{loop.id}"
    refused = await people["dr-county"].send("POST", f"{path}/accept", {})
    assert (refused.status_code, refused.json()["error"]["key"]) == (
        403,
        "consultation.not-your-move",
    )
    accepted = await people["prof-lead"].send("POST", f"{path}/accept", {})
    assert accepted.json()["state"] == "accepted"
    again = await people["prof-lead"].send("POST", f"{path}/accept", {})
    assert (again.status_code, again.json()["error"]["key"]) == (409, "consultation.illegal-move")


async def test_a_fhir_client_is_refused_with_an_operation_outcome(
    people: People, loop: Loop
) -> None:
    await loop.until(State.ASSIGNED)
    expert = people["prof-lead"]
    skipped = in_state(await task_of(loop), State.REPORTED, LEAD_EXPERT)
    answer = await expert.send("PUT", f"/fhir/Task/{loop.id}", skipped)
    assert answer.status_code == 409
    assert answer.json()["resourceType"] == "OperationOutcome"
    legal = in_state(await task_of(loop), State.ACCEPTED, LEAD_EXPERT)
    assert (await expert.send("PUT", f"/fhir/Task/{loop.id}", legal)).status_code == 200
    nameless = in_state(await task_of(loop), State.IN_PROGRESS, COUNTY_DOCTOR)
    answer = await expert.send("PUT", f"/fhir/Task/{loop.id}", nameless)
    assert answer.status_code == 422
    # The township has nothing to put there, and is not told that something is.
    answer = await people["dr-township"].send("PUT", f"/fhir/Task/{loop.id}", legal)
    assert answer.status_code in (403, 404, 409)


@pytest.mark.parametrize("kind", ["Patient/zhang", "Observation/bp"])
async def test_over_fhir_too_the_record_is_open_only_as_long_as_the_consultation(
    people: People, loop: Loop, kind: str
) -> None:
    expert = people["prof-lead"]
    assert (await expert.get(f"/fhir/{kind}")).status_code == 404
    await loop.until(State.REPORTED)
    assert (await expert.get(f"/fhir/{kind}")).status_code == 200
    assert (await people["dr-township"].get(f"/fhir/{kind}")).status_code == 404
    await loop.acknowledge()
    assert (await expert.get(f"/fhir/{kind}")).status_code == 404


async def test_no_page_without_signing_in(people: People, loop: Loop) -> None:
    await loop.until(State.SENT)
    client = people["dr-county"].client
    client.cookies.clear()
    for path in ("/consultations", f"/consultations/{loop.id}", "/patients", "/patients/zhang"):
        assert (await client.get(path)).headers["location"].startswith("/signin")
