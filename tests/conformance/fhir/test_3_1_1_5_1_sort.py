"""R4 §3.1.1.5.1: `_sort` by every type of parameter that has an order, what has no value last."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, patient

from serai.fhir.search import bounded, walking
from serai.fhir.search.parsing import parse
from serai.kernel.clock import utc_now

JSON = {"content-type": "application/fhir+json"}


def coded(id: str, *codes: str, **more: Data | str) -> Data:
    coding = [{"system": "http://loinc.org", "code": code} for code in codes]
    code = {"coding": coding} if codes else {"text": "x"}
    return {"resourceType": "Observation", "id": id, "status": "final", "code": code, **more}


def url(id: str, address: str | None) -> Data:
    made = {"resourceType": "ValueSet", "id": id, "status": "active"}
    return made | ({"url": address} if address else {})


RESOURCES: list[Data] = [
    patient("Li", id="a", gender="male", birthDate="1980-01-01", active=True,
            identifier=[{"system": "urn:x", "value": "7"}],
            telecom=[{"system": "phone", "value": "300"}, {"system": "email", "value": "a@x"}]),
    patient("Wang", id="b", gender="female", birthDate="1990", deceasedBoolean=True,
            identifier=[{"system": "urn:a", "value": "9"}, {"system": "urn:a", "value": "1"}],
            telecom=[{"system": "phone", "value": "100"}]),
    patient("Li", id="c", gender="female", birthDate="1970", deceasedDateTime="2020",
            telecom=[{"system": "email", "value": "0@x"}]),
    patient("An", id="d", deceasedBoolean=False, active=False),
    coded("o1", "b", subject={"reference": "Patient/b"}, effectiveDateTime="2024-01-02"),
    coded("o2", "c", "a", subject={"reference": "Group/g"}, effectiveDateTime="2024-01-01"),
    coded("o3", subject={"display": "nobody known"}, effectiveDateTime="2024-01-02"),
    coded("o4", "b", subject={"reference": "Patient/a"}),
    # A number that PostgreSQL cannot hold as JSON leaves the resource without a place.
    coded("o5", "0", valueQuantity={"value": "HUGE"}, effectiveDateTime="2023"),
    url("v1", "http://b.test/1"), url("v2", None), url("v3", "http://a.test/9"),
    url("v4", "http://b.test/1"),
]  # fmt: skip

ORDERS = [
    # token: by code; of several the first in that direction; ties by id
    ("Patient?_sort=gender", "b c a d"),
    ("Patient?_sort=-gender", "a b c d"),
    ("Patient?_sort=identifier", "b a c d"),
    ("Patient?_sort=-identifier", "b a c d"),
    ("Patient?_sort=phone", "b a c d"),
    ("Patient?_sort=email", "c a b d"),
    ("Patient?_sort=active", "d a b c"),
    ("Patient?_sort=-active", "a d b c"),
    ("Patient?_sort=deceased", "a d b c"),
    ("Patient?_sort=-deceased", "b c a d"),
    ("Observation?_sort=code", "o2 o1 o4 o3 o5"),
    ("Observation?_sort=-code", "o2 o1 o4 o3 o5"),
    # reference: as written
    ("Observation?_sort=subject", "o2 o4 o1 o3 o5"),
    ("Observation?_sort=-subject", "o1 o4 o2 o3 o5"),
    ("Observation?_sort=patient", "o4 o1 o2 o3 o5"),
    # uri
    ("ValueSet?_sort=url", "v3 v1 v4 v2"),
    ("ValueSet?_sort=-url", "v1 v4 v3 v2"),
    # several keys, mixed
    ("Patient?_sort=gender,-birthdate", "b c a d"),
    ("Patient?_sort=-gender,birthdate", "a c b d"),
    ("Patient?_sort=family,-gender", "d a c b"),
    ("Patient?_sort=-family,birthdate", "b c a d"),
    ("Patient?_sort=deceased,-_id", "d a c b"),
    ("Observation?_sort=date,code", "o5 o2 o1 o3 o4"),
    ("Observation?_sort=-date,-code", "o1 o3 o2 o5 o4"),
    ("Observation?_sort=-code,-date", "o2 o1 o4 o3 o5"),
]


@pytest_asyncio.fixture
async def ward(fhir: httpx.AsyncClient) -> httpx.AsyncClient:
    for one in RESOURCES:
        address = f"{one['resourceType']}/{one['id']}"
        raw = as_json(one).replace(b'"HUGE"', b"1e200000")
        answer = await fhir.put(address, content=raw, headers=JSON)
        assert answer.status_code == 201, answer.text
    return fhir


async def paged(client: httpx.AsyncClient, address: str) -> list[str]:
    """The ids over all pages."""
    seen: list[str] = []
    while address:
        page = await client.get(address)
        assert page.status_code == 200, page.text
        seen += [entry["resource"]["id"] for entry in page.json().get("entry", [])]
        links = {link["relation"]: link["url"] for link in page.json()["link"]}
        address = links.get("next", "")
    return seen


@pytest.mark.parametrize("count", [1, 2, 50])
async def test_matches_come_in_this_order_over_all_pages(
    ward: httpx.AsyncClient, count: int
) -> None:
    for address, expected in ORDERS:
        assert " ".join(await paged(ward, f"{address}&_count={count}")) == expected, address


async def test_a_walk_along_an_index_gives_the_same_order(
    ward: httpx.AsyncClient, as_actor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST_SORTED", 1)
    walked = [
        (address, expected)
        for address, expected in ORDERS
        if walking.is_walkable(parse(address.partition("?")[0], _pairs(address), now=utc_now()))
    ]
    assert len(walked) == 4
    walked += [("Patient?_sort=family", "d a c b"), ("Patient?_sort=-family", "b a c d"),
               ("Patient?_sort=birthdate", "c a b d"), ("Patient?_sort=-birthdate", "b a c d"),
               ("Patient?gender=female&_sort=-birthdate", "b c"),
               ("Patient?gender:not=female&_sort=family", "d a")]  # fmt: skip
    for address, expected in walked:
        for count in (1, 2, 3, 50):
            got = await paged(ward, f"{address}&_count={count}")
            assert " ".join(got) == expected, (address, count)
    nothing = await paged(as_actor(doctor("other")), "Patient?_sort=family")
    assert nothing == []


def _pairs(address: str) -> list[tuple[str, str]]:
    parts = address.partition("?")[2].split("&")
    return [(name, value) for name, _, value in (part.partition("=") for part in parts)]


@pytest.mark.parametrize(
    "order",
    ["code-value-quantity", "near", "_text", "nonsense", "combo-code-value-concept", "name:exact"],
)
async def test_what_has_no_order_is_refused_by_name(ward: httpx.AsyncClient, order: str) -> None:
    for kind in ("Observation", "Location"):
        answer = await ward.get(f"{kind}?_sort={order}")
        assert answer.status_code == 400, answer.text
        assert order in answer.json()["issue"][0]["diagnostics"]


async def test_too_many_to_sort_are_refused_and_the_client_is_told_to_ask_for_fewer(
    ward: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST_SORTED", 3)
    refused = await ward.get("Patient?_sort=gender")
    assert refused.status_code == 413
    assert refused.json()["issue"][0]["code"] == "too-costly"
    for allowed in ("Patient?birthdate=gt1960&_sort=gender", "Patient?_id=a,b,c,d&_sort=gender",
                    "Observation?subject=Patient/a&_sort=code", "Patient?_sort=_lastUpdated",
                    "Patient?_sort=-_id", "Patient?_sort=-birthdate"):  # fmt: skip
        assert (await ward.get(allowed)).status_code == 200, allowed


async def test_a_broad_sort_counts_only_what_the_actor_may_see(
    ward: httpx.AsyncClient, as_actor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST_SORTED", 3)
    stranger = as_actor(doctor("other"))
    answer = await stranger.get("Patient?_sort=gender")
    assert answer.status_code == 200
    assert "entry" not in answer.json()
