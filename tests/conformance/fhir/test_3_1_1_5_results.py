"""R4 §3.1.1.5: what a search returns (`_summary`, `_elements`, `_count`, `_list`, `_sort`)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.fhir.resources import Data, as_json, observation, patient

from serai.fhir.validation import validate

JSON = {"content-type": "application/fhir+json"}

RESOURCES: list[Data] = [
    patient(
        "Li", id="p1", gender="female", birthDate="1980-05-01", active=True,
        text={"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Li</div>'},
        contact=[{"name": {"family": "Li"}}], multipleBirthInteger=2,
        meta={"tag": [{"code": "kept"}]},
    ),
    patient("Wang", id="p2"),
    observation("Patient/p1", id="o1",
                valueQuantity={"value": 1.5, "unit": "kg"}, note=[{"text": "x"}]),
    {"resourceType": "List", "id": "l1", "status": "current", "mode": "working",
     "entry": [{"item": {"reference": "Patient/p2"}}, {"item": {"reference": "Observation/o1"}}]},
]  # fmt: skip


@pytest_asyncio.fixture
async def ward(fhir: httpx.AsyncClient) -> httpx.AsyncClient:
    for one in RESOURCES:
        address = f"{one['resourceType']}/{one['id']}"
        answer = await fhir.put(address, content=as_json(one), headers=JSON)
        assert answer.status_code == 201, answer.text
    return fhir


async def only(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    (entry,) = (e for e in answer.json()["entry"] if e["search"]["mode"] == "match")
    found: dict[str, Any] = entry["resource"]
    return found


@pytest.mark.parametrize(
    ("address", "elements"),
    [
        ("Patient?_id=p1&_summary=true", "active birthDate gender name"),
        ("Patient?_id=p1&_summary=text", "text"),
        ("Patient?_id=p1&_summary=data",
         "active birthDate contact gender multipleBirthInteger name"),
        ("Patient?_id=p1&_elements=gender,multipleBirth", "gender multipleBirthInteger"),
        ("Observation?_id=o1&_elements=value", "code status valueQuantity"),
        ("Observation?_id=o1&_summary=true",
         "code effectiveDateTime status subject valueQuantity"),
        ("Observation?_id=o1&_summary=text", "code status"),
        ("List?_id=l1&_elements=status", "mode status"),
        ("List?_id=l1&_summary=true", "mode status"),
    ],
)  # fmt: skip
async def test_a_part_of_a_resource_is_valid_and_marked(
    ward: httpx.AsyncClient, address: str, elements: str
) -> None:
    part = await only(ward, address)
    own = set(part) - {"resourceType", "id", "meta"}
    assert own == set(elements.split())
    assert part["meta"]["tag"][-1]["code"] == "SUBSETTED"
    assert part["meta"]["versionId"] == "1"
    assert not [issue for issue in validate(part) if issue.severity == "error"]


async def test_the_whole_is_not_marked_and_parts_keep_their_tags(ward: httpx.AsyncClient) -> None:
    assert (await only(ward, "Patient?_id=p1&_summary=false"))["meta"]["tag"] == [{"code": "kept"}]
    assert (await only(ward, "Patient?_id=p1&_elements=id"))["meta"]["tag"][0]["code"] == "kept"


async def test_elements_are_asked_of_matches_a_summary_of_all(ward: httpx.AsyncClient) -> None:
    for asked, marked in (("_elements=status", 1), ("_summary=true", 2)):
        answer = await ward.get(f"Observation?_include=Observation:subject&{asked}")
        tags = [e["resource"]["meta"].get("tag", []) for e in answer.json()["entry"]]
        assert sum({"SUBSETTED"} <= {tag["code"] for tag in one} for one in tags) == marked


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Patient?_list=l1", "p2"),
        ("Observation?_list=l1", "o1"),
        ("Patient?_list=nobody", ""),
        ("Patient?_list=l1&family=Wang", "p2"),
        ("Patient?_list=l1&family=Li", ""),
        ("Patient?_count=999999999", "p1 p2"),
        ("Patient?_count=0", ""),
        ("Patient?_tag=kept", "p1"),
    ],
)
async def test_exactly_these_are_returned(
    ward: httpx.AsyncClient, address: str, expected: str
) -> None:
    answer = await ward.get(address)
    assert answer.status_code == 200, answer.text
    found = [e["resource"]["id"] for e in answer.json().get("entry", [])]
    assert " ".join(sorted(found)) == expected
