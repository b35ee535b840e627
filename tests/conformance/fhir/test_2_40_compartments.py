"""R4 §2.40 and §3.1.1.3: search in a compartment, and over many types at once."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, observation, patient

from serai.kernel.actor import Actor, Kind

JSON = {"content-type": "application/fhir+json"}

RESOURCES: list[Data] = [
    patient("Li", id="p1", meta={"tag": [{"code": "red"}]}),
    patient("Wang", id="p2"),
    {"resourceType": "Practitioner", "id": "d1"},
    {"resourceType": "Device", "id": "v1"},
    {"resourceType": "RelatedPerson", "id": "r1", "patient": {"reference": "Patient/p1"}},
    {"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "AMB"},
     "subject": {"reference": "Patient/p1"}},
    observation("Patient/p1", id="o1", encounter={"reference": "Encounter/e1"},
                performer=[{"reference": "Practitioner/d1"}], meta={"tag": [{"code": "red"}]}),
    observation("Patient/p2", id="o2", code="8480-6", device={"reference": "Device/v1"}),
    observation(id="o3", performer=[{"reference": "RelatedPerson/r1"}]),
]  # fmt: skip

CASES = [
    ("Patient/p1/Observation", "o1"),
    ("Patient/p1/Observation?code=8480-6", ""),
    ("Patient/p2/Observation?code=8480-6", "o2"),
    ("Patient/p1/*", "e1 o1 r1"),
    ("Patient/p1/*?_type=Encounter,Observation", "e1 o1"),
    ("Patient/p1/*?_tag=red", "o1"),
    ("Patient/nobody/*", ""),
    ("Encounter/e1/Observation", "o1"),
    ("Practitioner/d1/Observation", "o1"),
    ("Device/v1/Observation", "o2"),
    ("RelatedPerson/r1/Observation", "o3"),
    ("?_type=Patient,Observation", "o1 o2 o3 p1 p2"),
    ("?_type=Patient,Observation&_tag=red", "o1 p1"),
    ("?_tag=red", "o1 p1"),
    ("?_id=p1,o3,nobody", "o3 p1"),
    ("?_tag:not=red&_type=Patient", "p2"),
    ("?_lastUpdated=gt2000&_type=Device", "v1"),
    ("?_lastUpdated=lt2000", ""),
]


async def put(client: httpx.AsyncClient, one: Data) -> None:
    address = f"{one['resourceType']}/{one['id']}"
    answer = await client.put(address, content=as_json(one), headers=JSON)
    assert answer.status_code == 201, answer.text


@pytest_asyncio.fixture
async def ward(fhir: httpx.AsyncClient) -> httpx.AsyncClient:
    for one in RESOURCES:
        await put(fhir, one)
    return fhir


async def found(client: httpx.AsyncClient, address: str) -> list[str]:
    """Over all pages, in their order."""
    ids: list[str] = []
    while address:
        answer = await client.get(address)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        ids += [e["resource"]["id"] for e in page.get("entry", [])]
        address = {link["relation"]: link["url"] for link in page["link"]}.get("next", "")
    return ids


async def test_exactly_these_are_found(ward: httpx.AsyncClient) -> None:
    answers = {address: " ".join(sorted(await found(ward, address))) for address, _ in CASES}
    assert answers == dict(CASES)


@pytest.mark.parametrize("address", ["?", "Patient/p1/*?", "?_sort=-_lastUpdated&"])
async def test_pages_over_many_types_lose_and_repeat_nothing(
    ward: httpx.AsyncClient, address: str
) -> None:
    whole = await found(ward, address)
    assert await found(ward, f"{address}&_count=2") == whole
    assert len(set(whole)) == len(whole) > 2


async def test_both_can_be_posted_with_parameters_in_both_places(ward: httpx.AsyncClient) -> None:
    system = await ward.post("_search?_type=Patient", data={"_tag": "red"})
    assert [e["resource"]["id"] for e in system.json()["entry"]] == ["p1"]
    inside = await ward.post("Patient/p2/Observation/_search", data={"code": "8480-6"})
    assert [e["resource"]["id"] for e in inside.json()["entry"]] == ["o2"]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("Organization/1/Observation", 404),
        ("Patient/1/Practitioner", 404),
        ("Patient/1/Nonsense", 404),
        ("Patient/1/*?code=1", 400),
        ("?_type=Patient,Nonsense", 400),
    ],
)
async def test_what_is_no_compartment_is_refused(
    fhir: httpx.AsyncClient, address: str, status: int
) -> None:
    assert (await fhir.get(address)).status_code == status


async def test_only_what_is_visible_is_found(as_actor: Client) -> None:
    county, lead = as_actor(doctor("county")), as_actor(doctor("lead"))
    await put(county, patient(id="p"))
    await put(county, observation("Patient/p", id="o"))
    for address, seen in (("Patient/p/*", ["o"]), ("?_type=Patient,Observation", ["o", "p"])):
        assert await found(county, address) == seen
        assert await found(lead, address) == []
        assert (await lead.get(f"{address}{'&' if '?' in address else '?'}_summary=count")).json()[
            "total"
        ] == 0


async def test_many_types_are_those_the_scope_covers(as_actor: Client) -> None:
    await put(as_actor(doctor("county")), patient(id="p"))
    scopes = frozenset({"system/Patient.rs"})
    narrow = as_actor(Actor("m", Kind.MACHINE, "m", "system", scopes=scopes))
    assert await found(narrow, "?_lastUpdated=gt2000") == ["p"]
    assert (await narrow.get("?_type=Patient,Observation")).status_code == 403
    assert (await narrow.get("Patient/p/Observation")).status_code == 403
    nothing = as_actor(Actor("m", Kind.MACHINE, "m", "system", scopes=frozenset()))
    assert (await nothing.get("?_lastUpdated=gt2000")).status_code == 403
