"""Search over HTTP: each type of parameter, modifiers, results, paging, refusals."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.fhir.resources import Data, as_json, observation, patient

JSON = {"content-type": "application/fhir+json"}
Found = list[str]


async def keep(fhir: httpx.AsyncClient, *resources: Data) -> None:
    for one in resources:
        address = f"{one['resourceType']}/{one['id']}"
        answer = await fhir.put(address, content=as_json(one), headers=JSON)
        assert answer.status_code == 201, answer.text


async def search(fhir: httpx.AsyncClient, address: str) -> dict[str, Any]:
    answer = await fhir.get(address)
    assert answer.status_code == 200, answer.text
    bundle: dict[str, Any] = answer.json()
    return bundle


def ids(bundle: dict[str, Any], mode: str = "match") -> Found:
    return [e["resource"]["id"] for e in bundle.get("entry", []) if e["search"]["mode"] == mode]


@pytest_asyncio.fixture
async def ward(fhir: httpx.AsyncClient) -> httpx.AsyncClient:
    """Three patients and some observations."""
    await keep(
        fhir,
        patient("Müller", id="p1", gender="female", birthDate="1980-05-01",
                identifier=[{"system": "urn:mrn", "value": "A,1"}, {"value": "bare"}]),
        patient("Muller-Lopez", id="p2", gender="male", birthDate="1990-01",
                identifier=[{"system": "urn:other", "value": "A,1"}],
                generalPractitioner=[{"identifier": {"system": "urn:staff", "value": "9"}}]),
        patient("Zhang", id="p3", active=True),
        observation("Patient/p1", id="o1"),
        observation("Patient/p1", id="o2", code="8480-6", effectiveDateTime="2024-03-16"),
        observation("Patient/p2", id="o3", effectiveDateTime="2024-03-14T23:59:59+08:00"),
        observation("http://elsewhere.test/fhir/Patient/p1", id="o4", effectiveDateTime="2023"),
        {"resourceType": "ValueSet", "id": "v1", "status": "active", "url": "http://x.test/vs"},
    )  # fmt: skip
    return fhir


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        # token
        ("Patient?identifier=urn:mrn|A\\,1", ["p1"]),
        ("Patient?identifier=A\\,1", ["p1", "p2"]),
        ("Patient?identifier=|bare", ["p1"]),
        ("Patient?identifier=|A\\,1", []),
        ("Patient?identifier=urn:other|", ["p2"]),
        ("Patient?gender=male,female", ["p1", "p2"]),
        ("Patient?gender:not=male", ["p1", "p3"]),
        ("Patient?gender=http://hl7.org/fhir/administrative-gender|male", ["p2"]),
        ("Patient?gender:missing=true", ["p3"]),
        ("Patient?gender:missing=false&identifier=A\\,1", ["p1", "p2"]),
        ("Patient?active=true", ["p3"]),
        ("Observation?code=8480-6,http://loinc.org|8867-4&subject=Patient/p1", ["o1", "o2"]),
        ("Observation?code=8480-6&code=8867-4", []),
        # reference
        ("Observation?subject=Patient/p1", ["o1", "o2"]),
        ("Observation?subject=p1", ["o1", "o2"]),
        ("Observation?patient=p1,p2", ["o1", "o2", "o3"]),
        ("Observation?subject:Patient=p2", ["o3"]),
        ("Observation?subject:Group=p2", []),
        ("Observation?subject=http://serai.test/fhir/Patient/p1", ["o1", "o2"]),
        ("Observation?subject=http://elsewhere.test/fhir/Patient/p1", ["o4"]),
        ("Observation?subject:missing=true", []),
        ("Patient?general-practitioner:identifier=urn:staff|9", ["p2"]),
        # string
        ("Patient?family=muller", ["p1", "p2"]),
        ("Patient?family=MÜLLER", ["p1", "p2"]),
        ("Patient?family:exact=Müller", ["p1"]),
        ("Patient?family:exact=Muller", []),
        ("Patient?family:contains=lopez", ["p2"]),
        ("Patient?family=lopez", []),
        ("Patient?name=mei", ["p1", "p2", "p3"]),
        ("Patient?family:missing=false", ["p1", "p2", "p3"]),
        ("Patient?birthdate:missing=true", ["p3"]),
        # date
        ("Observation?date=2024-03-15", ["o1"]),
        ("Observation?date=eq2024-03", ["o1", "o2", "o3"]),
        ("Observation?date=2024-03-15T09:10:00Z", ["o1"]),
        ("Observation?date=2024-03-15T17:10:00%2B08:00", ["o1"]),
        ("Observation?date=2024-03-15T17:10:00+08:00", ["o1"]),
        ("Observation?date=ne2024-03-15", ["o2", "o3", "o4"]),
        ("Observation?date=gt2024-03-15", ["o2"]),
        ("Observation?date=ge2024-03-15", ["o1", "o2"]),
        ("Observation?date=lt2024-03-15", ["o3", "o4"]),
        ("Observation?date=le2024-03-15", ["o1", "o3", "o4"]),
        ("Observation?date=sa2024-03-15", ["o2"]),
        ("Observation?date=eb2024-03-15", ["o3", "o4"]),
        ("Observation?date=ge2024-03-15&date=lt2024-03-16", ["o1"]),
        ("Observation?date=2024-03-14,2024-03-16", ["o2", "o3"]),
        ("Patient?birthdate=1990", ["p2"]),
        ("Patient?birthdate=ap1990", ["p2"]),
        ("Patient?birthdate=ge0001", ["p1", "p2"]),
        ("Patient?birthdate=le9999", ["p1", "p2"]),
        ("Patient?birthdate=ap0001", []),
        # uri, _id, _lastUpdated
        ("ValueSet?url=http://x.test/vs", ["v1"]),
        ("ValueSet?url=http://x.test/v", []),
        ("Patient?_id=p1,p3,nobody", ["p1", "p3"]),
        ("Patient?_lastUpdated=gt2000", ["p1", "p2", "p3"]),
        ("Patient?_lastUpdated=lt2000", []),
        # sort
        ("Observation?_sort=date", ["o4", "o3", "o1", "o2"]),
        ("Observation?_sort=-date", ["o2", "o1", "o3", "o4"]),
        ("Patient?_sort=-family,-_id", ["p3", "p2", "p1"]),
        ("Patient?_sort=birthdate", ["p1", "p2", "p3"]),
        ("Patient?_sort=-birthdate", ["p2", "p1", "p3"]),
        ("Patient?_sort=-_id", ["p3", "p2", "p1"]),
        ("Patient?_sort=-_lastUpdated", ["p3", "p2", "p1"]),
    ],
)  # fmt: skip
async def test_a_search_finds_exactly_these(
    ward: httpx.AsyncClient, address: str, expected: Found
) -> None:
    found = await search(ward, address)
    if "_sort" in address:
        assert ids(found) == expected
    else:
        assert sorted(ids(found)) == expected
    assert found["total"] == len(expected)


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("Patient?nonsense=1", "nonsense"),
        ("Patient?gender:above=male", "gender:above"),
        ("Patient?family:not=a", "family:not"),
        ("Patient?birthdate:exact=1980", "birthdate:exact"),
        ("Patient?birthdate=yesterday", "birthdate"),
        ("Patient?birthdate=2024-13", "birthdate"),
        ("Observation?value-quantity=gt", "value-quantity"),
        ("Observation?code-value-quantity=1", "code-value-quantity"),
        ("RiskAssessment?probability=NaN", "probability"),
        ("Patient?_text:missing=true", "_text:missing"),
        ("Patient?_content=%22.%22", "_content"),
        ("Patient?_sort=_text", "_text"),
        ("Patient?_elements=nonsense", "_elements"),
        ("Patient?_summary=most", "_summary"),
        ("Patient?_summary=true&_elements=name", "_summary"),
        ("Patient?_summary=text&_revinclude=Observation:subject", "_summary"),
        ("Patient?_sort=_score", "_score"),
        ("Patient?_filter=name eq x", "_filter"),
        ("Patient?_contained=true", "_contained"),
        ("Patient?_containedType=container", "_containedType"),
        ("Patient?_query=x", "_query"),
        ("Patient?_list=$current-problems", "_list"),
        ("Patient?_type=Patient", "_type"),
        ("?_type=Patient,Observation&code=1", "code"),
        ("?_type=Nonsense", "Nonsense"),
        ("?_id:missing=true", "_id"),
        ("Observation?_sort=code-value-quantity", "code-value-quantity"),
        ("Patient?_include=Observation:subject", "_include"),
        ("Patient?_revinclude=*", "_revinclude"),
        ("Patient?_include:recurse=Patient:organization", "_include:recurse"),
        ("Patient?_revinclude=Observation:code", "_revinclude"),
        ("Patient?_count=many", "_count"),
        ("Patient?_count=-1", "_count"),
        ("Patient?_total=some", "_total"),
        ("Patient?_cursor=xyz", "_cursor"),
        ("Patient?gender:missing=perhaps", "gender:missing"),
        ("Patient?family=", "family"),
        ("Observation?subject=a/b/c", "subject"),
        ("Observation?code=a|b|c", "code"),
        ("Patient?family=%00", "U+0000"),
    ],
)
async def test_what_search_cannot_honour_is_refused_by_name(
    fhir: httpx.AsyncClient, address: str, named: str
) -> None:
    answer = await fhir.get(address)
    assert answer.status_code == 400, answer.text
    assert named in answer.json()["issue"][0]["diagnostics"]


async def test_a_lenient_client_is_told_what_was_left_out(ward: httpx.AsyncClient) -> None:
    answer = await ward.get(
        "Patient?family=Zhang&nonsense=1", headers={"prefer": "handling=lenient"}
    )
    bundle = answer.json()
    assert ids(bundle) == ["p3"]
    assert "nonsense" not in bundle["link"][0]["url"]
    told = [e for e in bundle["entry"] if e["search"]["mode"] == "outcome"]
    assert "nonsense" in told[0]["resource"]["issue"][0]["diagnostics"]


async def test_a_search_can_be_posted_as_a_form(ward: httpx.AsyncClient) -> None:
    answer = await ward.post("Patient/_search", data={"family": "Zhang"})
    assert ids(answer.json()) == ["p3"]


async def test_pages_neither_repeat_nor_skip_while_others_write(fhir: httpx.AsyncClient) -> None:
    await keep(fhir, *(patient(id=f"p{n:02d}", birthDate=f"19{50 + n // 3}") for n in range(25)))
    orders = ("", "&_sort=birthdate", "&_sort=-birthdate,_id", "&_sort=family,-birthdate")
    for turn, order in enumerate(orders):
        seen: Found = []
        address = f"Patient?_count=10{order}"
        while address:
            page = await search(fhir, address)
            seen += ids(page)
            new = patient("Aaa", id=f"a{turn}-{len(seen)}", birthDate="1940")
            await keep(fhir, new)
            links = {link["relation"]: link["url"] for link in page["link"]}
            assert links["self"].startswith("http://serai.test/fhir/Patient?")
            address = links.get("next", "")
        assert len(seen) == len(set(seen))
        assert set(seen) >= {f"p{n:02d}" for n in range(25)}


async def test_total_is_exact_when_asked_for(ward: httpx.AsyncClient) -> None:
    assert (await search(ward, "Patient?_count=1&_total=accurate"))["total"] == 3
    assert "total" not in await search(ward, "Patient?_count=1")
    counted = await search(ward, "Patient?_summary=count")
    assert counted["total"] == 3
    assert "entry" not in counted
    assert (await search(ward, "Patient?_count=0&_total=accurate"))["total"] == 3


async def test_include_and_revinclude_bring_each_resource_once(ward: httpx.AsyncClient) -> None:
    forward = await search(ward, "Observation?_include=Observation:subject")
    assert sorted(ids(forward)) == ["o1", "o2", "o3", "o4"]
    assert sorted(ids(forward, "include")) == ["p1", "p2"]
    target = await search(ward, "Observation?_include=Observation:subject:Group")
    assert ids(target, "include") == []
    back = await search(ward, "Patient?_id=p1,p3&_revinclude=Observation:patient")
    assert sorted(ids(back)) == ["p1", "p3"]
    assert sorted(ids(back, "include")) == ["o1", "o2"]


async def test_an_update_changes_what_is_found(ward: httpx.AsyncClient) -> None:
    changed = patient("Chen", id="p3")
    assert (await ward.put("Patient/p3", content=as_json(changed), headers=JSON)).status_code == 200
    assert ids(await search(ward, "Patient?family=Zhang")) == []
    assert ids(await search(ward, "Patient?family=Chen")) == ["p3"]
    assert ids(await search(ward, "Patient?active=true")) == []


async def test_a_search_by_name_pages_through_each_match_once(fhir: httpx.AsyncClient) -> None:
    """By the first name that matches, and by id among namesakes, whatever else a name is."""
    families = ["Lindt", "Li", "LI", "Wang", "Linde", "Li"]
    await keep(fhir, *(patient(name, id=f"p{n}") for n, name in enumerate(families)))
    married = [{"family": "Linde"}, {"family": "li"}, {"family": "Li"}]
    await keep(fhir, patient(id="p9", name=married))
    seen: Found = []
    address = "Patient?family=li&_count=2&_total=accurate"
    while address:
        page = await search(fhir, address)
        assert page["total"] == 6
        seen += ids(page)
        links = {link["relation"]: link["url"] for link in page["link"]}
        address = links.get("next", "")
    assert seen == ["p1", "p2", "p5", "p9", "p4", "p0"]


def weighed(id: str, value: float, unit: str) -> Data:
    quantity = {"value": value, "system": "http://unitsofmeasure.org", "code": unit}
    return observation(None, "29463-7", id=id, valueQuantity=quantity)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("value-quantity", ["w3", "w1", "w2", "w0", "w4"]),
        ("-value-quantity", ["w2", "w1", "w3", "w0", "w4"]),
    ],
)
async def test_weights_sort_whatever_their_unit_and_without_one_last(
    fhir: httpx.AsyncClient, order: str, expected: Found
) -> None:
    weights = [weighed("w1", 3.5, "kg"), weighed("w2", 80, "kg"), weighed("w3", 900, "g")]
    none = (observation(None, "29463-7", id=id) for id in ("w0", "w4"))
    await keep(fhir, *weights, *none)
    seen: Found = []
    address = first = f"Observation?code=29463-7&_sort={order}&_count=2"
    while address:
        page = await search(fhir, address)
        links = {link["relation"]: link["url"] for link in page["link"]}
        assert "previous" not in links
        assert not seen or links["first"].endswith(first)
        seen += ids(page)
        address = links.get("next", "")
    assert seen == expected
