"""R4 §3.1.1.4.10: `:text` finds a token by the text that goes with its code or identifier."""

from __future__ import annotations

import httpx
import pytest
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, observation, patient
from tests.fhir.search.test_search import ids, keep, search

from serai.fhir.search.plan import plan_of_texts
from serai.platform.db import Database

JSON = {"content-type": "application/fhir+json"}


def named(id: str, text: str | None, *displays: str, subject: str | None = None) -> Data:
    coding = [{"system": "urn:c", "code": f"{n}", "display": one} for n, one in enumerate(displays)]
    code = ({"text": text} if text else {}) | ({"coding": coding} if coding else {})
    return observation(subject, id=id) | {"code": code}


MRN = {"type": {"text": "Medical record number"}, "value": "1"}

RESOURCES = [
    patient("Li", id="p1", identifier=[MRN], maritalStatus={"text": "Verheiratet"}),
    patient("Li", id="p2", identifier=[{"value": "Medical record number"}],
            meta={"tag": [{"system": "urn:t", "code": "t", "display": "Follow up"}]}),
    named("o1", "Heart rate", "Pulse", "HR", subject="Patient/p1"),
    named("o2", None, "Heart failure", subject="Patient/p2"),
    named("o3", "Fréquence cardiaque"),
    named("o4", "心率"),
    {"resourceType": "Observation", "id": "o5", "status": "final", "code": {"text": "Panel"},
     "component": [{"code": {"text": "Heart rate"}, "valueString": "x"}],
     "valueCodeableConcept": {"text": "Heart murmur"}},
    named("o6", "Rate of the heart"),
]  # fmt: skip

FOUND = [
    ("Observation?code:text=heart", "o1 o2"), ("Observation?code:text=HEART RATE", "o1"),
    ("Observation?code:text=pulse", "o1"), ("Observation?code:text=hr", "o1"),
    ("Observation?code:text=rate", "o6"), ("Observation?code:text=frequence", "o3"),
    ("Observation?code:text=心", "o4"), ("Observation?code:text=pulse,心率", "o1 o4"),
    ("Observation?code:text=urn:c", ""), ("Observation?code:text=0", ""),
    ("Observation?component-code:text=heart", "o5"),
    ("Observation?combo-code:text=heart", "o1 o2 o5"),
    ("Observation?value-concept:text=heart", "o5"),
    ("Observation?code:text=heart&subject=Patient/p2", "o2"),
    ("Observation?code:text=heart&_sort=-code", "o1 o2"),
    ("Observation?subject:Patient.identifier:text=medical", "o1"),
    ("Patient?identifier:text=medical record", "p1"),
    ("Patient?_tag:text=follow", "p2"),
    ("Patient?_has:Observation:subject:code:text=heart", "p1 p2"),
]  # fmt: skip


async def test_exactly_these_are_found(fhir: httpx.AsyncClient) -> None:
    await keep(fhir, *RESOURCES)
    for address, expected in FOUND:
        assert " ".join(sorted(ids(await search(fhir, address)))) == expected, address


async def test_a_changed_text_is_found_at_once_and_the_former_no_more(
    fhir: httpx.AsyncClient,
) -> None:
    await keep(fhir, named("o", "Glucose"))
    assert ids(await search(fhir, "Observation?code:text=glucose")) == ["o"]
    changed = await fhir.put("Observation/o", content=as_json(named("o", "Sodium")), headers=JSON)
    assert changed.status_code == 200
    assert ids(await search(fhir, "Observation?code:text=sodium")) == ["o"]
    assert ids(await search(fhir, "Observation?code:text=glucose")) == []
    await fhir.delete("Observation/o")
    assert ids(await search(fhir, "Observation?code:text=sodium")) == []


async def test_pages_hold_every_match_once(fhir: httpx.AsyncClient) -> None:
    await keep(fhir, *(named(f"o{n}", "Glucose", "Glucose in blood") for n in range(7)))
    seen: list[str] = []
    address = "Observation?code:text=gluc&_count=2"
    while address:
        page = await search(fhir, address)
        seen += ids(page)
        address = {one["relation"]: one["url"] for one in page["link"]}.get("next", "")
    assert sorted(seen) == [f"o{n}" for n in range(7)]


async def test_a_text_shows_nobody_what_is_not_theirs(as_actor: Client) -> None:
    await keep(as_actor(doctor("county")), named("o", "Glucose"))
    other = await search(as_actor(doctor("lead")), "Observation?code:text=glu&_total=accurate")
    assert other["total"] == 0
    assert "entry" not in other


@pytest.mark.parametrize("name", ["gender:text", "active:text", "phone:text", "_id:text"])
async def test_a_token_without_texts_refuses_text_by_name(
    fhir: httpx.AsyncClient, name: str
) -> None:
    refused = await fhir.get(f"Patient?{name}=male")
    assert refused.status_code == 400
    assert name in refused.json()["issue"][0]["diagnostics"]


async def test_a_write_makes_no_text_rows(fhir: httpx.AsyncClient, db: Database) -> None:
    """They are made by the first search that asks; a create costs what it did."""
    await keep(fhir, named("o", "Glucose"))
    async with db.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM fhir_token_text")).fetchone()
    assert row == (0,)
    assert plan_of_texts("Observation").keys
