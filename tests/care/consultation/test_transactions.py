"""A consultation that a FHIR client begins with one transaction is held to the same rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from tests.care.hospitals import COUNTY_DOCTOR, LEAD_EXPERT, NOON, REQUEST, TOWNSHIP_DOCTOR
from tests.fhir.conftest import BASE, SignedIn
from tests.fhir.resources import as_json

from serai.care.consultation.model import Consultation, State
from serai.care.consultation.records import Consultations, words
from serai.care.consultation.records.mapping import Names, to_service_request, to_task
from serai.fhir.http import FhirDoor
from serai.kernel.actor import Actor
from serai.platform.settings import Settings

JSON = {"content-type": "application/fhir+json"}
REQUEST_URL = "urn:uuid:0b6c4a3e-0000-4000-8000-000000000001"
TASK_URL = "urn:uuid:0b6c4a3e-0000-4000-8000-000000000002"

Client = Callable[[Actor], httpx.AsyncClient]


@pytest_asyncio.fixture
async def client(kept: Consultations) -> AsyncIterator[Client]:
    app = Starlette(middleware=[Middleware(FhirDoor)])
    app.state.db, app.state.fhir, app.state.settings = kept.db, kept.fhir, Settings()
    opened: list[httpx.AsyncClient] = []

    def of(actor: Actor) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=SignedIn(app, actor))
        opened.append(httpx.AsyncClient(transport=transport, base_url=f"{BASE}/"))
        return opened[-1]

    yield of
    for one in opened:
        await one.aclose()


def pair(state: State = State.DRAFT) -> tuple[dict[str, Any], dict[str, Any]]:
    """A ServiceRequest and the Task about it, as a county doctor's system would send them."""
    begun = Consultation(
        id="",
        version=0,
        state=state,
        patient="zhang",
        patient_name="Zhang Wei",
        requester_organisation="county",
        requester="dr-county",
        request=REQUEST,
        drafted_at=NOON,
        changed_at=NOON,
        service_request="",
    )
    names = Names(
        requester="Li Na",
        requester_organisation="Qingshan County Hospital",
        expert_organisation="Lead Teaching Hospital",
    )
    request = to_service_request(begun, names)
    task = to_task(begun, names, actor=COUNTY_DOCTOR)
    del request["id"], task["id"]
    task["focus"] = {"reference": REQUEST_URL}
    return request, task


def transaction(request: dict[str, Any], task: dict[str, Any]) -> bytes:
    """The Task first: the order of the entries does not matter."""
    return as_json(
        {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {"fullUrl": TASK_URL, "resource": task,
                 "request": {"method": "POST", "url": "Task"}},
                {"fullUrl": REQUEST_URL, "resource": request,
                 "request": {"method": "POST", "url": "ServiceRequest"}},
            ],
        }
    )  # fmt: skip


async def left(client: httpx.AsyncClient) -> int:
    """Everything of a consultation that there is."""
    kinds = ("Task", "ServiceRequest")
    answers = [await client.get(f"{kind}/_history") for kind in kinds]
    return sum(len(one.json().get("entry", [])) for one in answers)


async def test_request_and_task_of_a_consultation_begin_together(client: Client) -> None:
    county = client(COUNTY_DOCTOR)
    answer = await county.post("", content=transaction(*pair()), headers=JSON)
    assert answer.status_code == 200, answer.text
    task, request = (one["response"]["location"] for one in answer.json()["entry"])
    kept = (await county.get(task)).json()
    assert kept["focus"]["reference"] == request.partition("/_history")[0]
    assert words.state_of(kept) is State.DRAFT
    hidden = await client(LEAD_EXPERT).get(task)
    assert hidden.status_code == 404


@pytest.mark.parametrize("state", [state for state in State if state is not State.DRAFT])
async def test_a_pair_that_begins_in_the_middle_leaves_nothing(
    client: Client, state: State
) -> None:
    county = client(COUNTY_DOCTOR)
    answer = await county.post("", content=transaction(*pair(state)), headers=JSON)
    assert answer.status_code in (403, 409, 422), answer.text
    assert await left(county) == 0


async def test_a_pair_in_the_name_of_another_hospital_leaves_nothing(client: Client) -> None:
    township = client(TOWNSHIP_DOCTOR)
    answer = await township.post("", content=transaction(*pair()), headers=JSON)
    assert 400 <= answer.status_code < 500
    assert await left(township) == 0
    assert await left(client(COUNTY_DOCTOR)) == 0


async def test_a_task_about_a_request_that_does_not_come_along_leaves_nothing(
    client: Client,
) -> None:
    county = client(COUNTY_DOCTOR)
    request, task = pair()
    task["focus"] = {"reference": "ServiceRequest/elsewhere"}
    answer = await county.post("", content=transaction(request, task), headers=JSON)
    assert answer.status_code == 409, answer.text
    assert await left(county) == 0
