"""R4 §3.1.1.3 and §3.1.1.5.5: pages stay whole while others write; a page's address opens
nothing by itself."""

from __future__ import annotations

import httpx
import pytest
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, patient

JSON = {"content-type": "application/fhir+json"}


def born(n: int) -> Data:
    """Ties in threes, and every fifth without a date of birth."""
    dated = {} if n % 5 == 0 else {"birthDate": f"19{50 + n // 3}"}
    told = {"telecom": [{"system": "phone", "value": f"{n // 3}"}]} if n % 4 else {}
    numbered = {"identifier": [{"value": f"{n // 2}"}, {"value": f"{n // 7}"}]} if n % 3 else {}
    seen_by = {"generalPractitioner": [{"reference": f"Practitioner/{n // 6}"}]} if n % 2 else {}
    gender = {"gender": "female"} if n % 2 else {}
    return patient(f"Fam{n // 4}", id=f"p{n:02d}", **dated, **told, **numbered, **seen_by, **gender)


def late(id: str) -> Data:
    return patient(
        "Aaa", id=id, birthDate="1900", telecom=[{"system": "phone", "value": "0"}], gender="male"
    )


async def put(client: httpx.AsyncClient, one: Data) -> None:
    answer = await client.put(f"Patient/{one['id']}", content=as_json(one), headers=JSON)
    assert answer.is_success, answer.text


def links(page: httpx.Response) -> dict[str, str]:
    return {link["relation"]: link["url"] for link in page.json()["link"]}


@pytest.mark.parametrize(
    "order",
    [
        "", "_id", "-_id", "birthdate", "-birthdate", "family,-birthdate", "-family",
        # With a condition the matches are sorted; without one an index is walked.
        "birthdate&active:missing=true", "-family,birthdate&active:missing=true",
        "phone", "-identifier", "gender,-birthdate", "-general-practitioner,family",
    ],
)  # fmt: skip
async def test_what_stays_is_seen_once_whatever_is_written_between_pages(
    fhir: httpx.AsyncClient, order: str
) -> None:
    for n in range(20):
        await put(fhir, born(n))
    seen: list[str] = []
    address = f"Patient?_count=4&_sort={order}" if order else "Patient?_count=4"
    while address:
        page = await fhir.get(address)
        shown = [e["resource"]["id"] for e in page.json().get("entry", [])]
        seen += shown
        await fhir.delete(f"Patient/{shown[0]}")
        await put(fhir, late(f"new{len(seen):02d}"))
        again = shown[-1]
        await put(fhir, born(int(again[1:])) if again[0] == "p" else late(again))
        address = links(page).get("next", "")
    assert len(seen) == len(set(seen))
    assert set(seen) >= {f"p{n:02d}" for n in range(20)}


async def test_the_next_page_of_one_organisation_shows_another_nothing(as_actor: Client) -> None:
    county, lead = as_actor(doctor("county")), as_actor(doctor("lead"))
    for n in range(6):
        await put(county, born(n))
    await put(lead, patient(id="z"))
    first = await county.get("Patient?_count=2&_sort=birthdate")
    following = await lead.get(links(first)["next"])
    assert {e["resource"]["id"] for e in following.json().get("entry", [])} <= {"z"}


async def test_a_cursor_of_another_order_is_refused(fhir: httpx.AsyncClient) -> None:
    for n in range(3):
        await put(fhir, born(n))
    following = links(await fhir.get("Patient?_count=2&_sort=birthdate"))["next"]
    cursor = following.partition("_cursor=")[2]
    for order in ("", "_sort=_lastUpdated,birthdate&", "_sort=_lastUpdated,_id,birthdate&"):
        answer = await fhir.get(f"Patient?{order}_cursor={cursor}")
        assert answer.status_code == 400, answer.text
