"""R4 §3.1.1.5.4: `_include`, `_revinclude`, `:iterate`, and how far they go."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, observation, patient

from serai.fhir.search import includes

JSON = {"content-type": "application/fhir+json"}

RESOURCES: list[Data] = [
    {"resourceType": "Organization", "id": "org1", "name": "A",
     "partOf": {"reference": "Organization/org2"}},
    {"resourceType": "Organization", "id": "org2", "name": "B",
     "partOf": {"reference": "Organization/org1"}},
    patient(id="p1", managingOrganization={"reference": "Organization/org1"},
            generalPractitioner=[{"reference": "Practitioner/d1"}]),
    patient(id="p2"),
    {"resourceType": "Group", "id": "g1", "type": "person", "actual": True},
    {"resourceType": "Practitioner", "id": "d1"},
    observation("http://serai.test/fhir/Patient/p1", id="o1",
                performer=[{"reference": "Practitioner/d1"}]),
    observation("Patient/p2", id="o2", hasMember=[{"reference": "Observation/o1"}]),
    observation("Group/g1", id="o3"),
    {"resourceType": "Questionnaire", "id": "q1", "status": "active", "url": "http://x.test/q",
     "version": "1"},
    {"resourceType": "Questionnaire", "id": "q2", "status": "active", "url": "http://x.test/q",
     "version": "2"},
    {"resourceType": "QuestionnaireResponse", "id": "r1", "status": "completed",
     "questionnaire": "http://x.test/q|2"},
    {"resourceType": "QuestionnaireResponse", "id": "r2", "status": "completed",
     "questionnaire": "http://x.test/q"},
]  # fmt: skip

CASES = [
    ("Observation?_id=o1&_include=Observation:subject", "p1"),
    ("Observation?_include=Observation:subject", "g1 p1 p2"),
    ("Observation?_include=Observation:subject:Patient", "p1 p2"),
    ("Observation?_include=Observation:subject:Group&_include=Observation:performer", "d1 g1"),
    ("Observation?_id=o1&_include=*", "d1 p1"),
    ("Observation?_id=o2&_include=Observation:*", "o1 p2"),
    ("Patient?_id=p1&_include=Patient:organization", "org1"),
    ("Patient?_id=p1&_include=Patient:organization&_include:iterate=Organization:partof",
     "org1 org2"),
    ("Observation?_id=o2&_include:iterate=Observation:has-member", "o1"),
    ("Observation?_id=o2&_include:iterate=*", "d1 o1 org1 org2 p1 p2"),
    ("Observation?_id=o1&_include=Observation:subject&_include:iterate=Patient:general-practitioner",
     "d1 p1"),
    ("Patient?_id=p1&_revinclude=Observation:subject", "o1"),
    ("Patient?_id=p1&_revinclude=Observation:*", "o1"),
    ("Patient?_id=p1&_revinclude=Observation:subject&_revinclude:iterate=Observation:has-member",
     "o1 o2"),
    ("Organization?_id=org1&_revinclude:iterate=Organization:partof", "org2"),
    ("QuestionnaireResponse?_id=r1&_include=QuestionnaireResponse:questionnaire", "q2"),
    ("QuestionnaireResponse?_id=r2&_include=QuestionnaireResponse:questionnaire", "q1 q2"),
]  # fmt: skip


async def put(client: httpx.AsyncClient, one: Data) -> None:
    address = f"{one['resourceType']}/{one['id']}"
    answer = await client.put(address, content=as_json(one), headers=JSON)
    assert answer.status_code == 201, answer.text


@pytest_asyncio.fixture
async def ward(fhir: httpx.AsyncClient) -> httpx.AsyncClient:
    for one in RESOURCES:
        await put(fhir, one)
    return fhir


async def included(client: httpx.AsyncClient, address: str) -> str:
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    found = [e for e in answer.json().get("entry", []) if e["search"]["mode"] == "include"]
    return " ".join(sorted(e["resource"]["id"] for e in found))


async def test_exactly_these_are_included_each_once(ward: httpx.AsyncClient) -> None:
    assert {address: await included(ward, address) for address, _ in CASES} == dict(CASES)


async def test_more_than_the_limit_is_refused(
    ward: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(includes, "MOST_INCLUDED", 2)
    assert (await ward.get("Observation?_include=Observation:subject")).status_code == 413
    monkeypatch.setattr(includes, "MOST_ROUNDS", 1)
    far = await ward.get("Patient?_id=p1&_include:iterate=*")
    assert far.status_code == 413
    assert "1 steps" in far.json()["issue"][0]["diagnostics"]


async def test_what_is_invisible_is_never_included_nor_a_way_to_more(as_actor: Client) -> None:
    """The lead hospital's observation points, over the county's, to the county's patient."""
    county, lead = as_actor(doctor("county")), as_actor(doctor("lead"))
    await put(county, patient(id="p"))
    await put(county, observation("Patient/p", id="hidden"))
    await put(lead, patient(id="q"))
    member = [{"reference": "Observation/hidden"}]
    await put(lead, observation("Patient/q", id="own", hasMember=member))
    onward = "_include:iterate=*&_revinclude:iterate=Observation:subject"
    assert await included(lead, f"Observation?{onward}") == "q"
    assert await included(lead, f"Patient?{onward}") == "own"
    assert await included(county, "Patient?_revinclude:iterate=Observation:*") == "hidden"
