"""R4 §3.1.0.8.1: a client that lost the answer asks once more, and nothing happens twice."""

from __future__ import annotations

import asyncio

import httpx
from tests.fhir.resources import Data, as_json, patient

JSON = {"content-type": "application/fhir+json"}
MRN = {"system": "urn:mrn", "value": "7"}


async def total(fhir: httpx.AsyncClient, query: str) -> int:
    answer = await fhir.get(f"{query}&_summary=count")
    assert answer.status_code == 200, answer.text
    count: int = answer.json()["total"]
    return count


async def put(fhir: httpx.AsyncClient, data: Data, **headers: str) -> httpx.Response:
    return await fhir.put("Patient/p", content=as_json(data), headers=JSON | headers)


async def test_a_create_with_a_condition_can_be_repeated(fhir: httpx.AsyncClient) -> None:
    sent = as_json(patient(identifier=[MRN]))
    asked = JSON | {"if-none-exist": "identifier=urn:mrn|7"}
    first, again = [await fhir.post("Patient", content=sent, headers=asked) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["location"] == again.headers["location"]
    assert first.headers["etag"] == again.headers["etag"]
    assert await total(fhir, "Patient?identifier=urn:mrn|7") == 1


async def test_a_repeated_update_changes_nothing_but_the_version(fhir: httpx.AsyncClient) -> None:
    sent = patient(id="p", identifier=[MRN])
    assert [(await put(fhir, sent)).status_code for _ in range(2)] == [201, 200]
    found = (await fhir.get("Patient/p")).json()
    assert (found["identifier"], found["meta"]["versionId"]) == ([MRN], "2")


async def test_a_repeated_update_of_one_version_is_told_that_it_is_done(
    fhir: httpx.AsyncClient,
) -> None:
    await put(fhir, patient(id="p"))
    changed = patient(id="p", identifier=[MRN])
    answers = [await put(fhir, changed, **{"if-match": 'W/"1"'}) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 412]
    found = (await fhir.get("Patient/p")).json()
    assert (found["identifier"], found["meta"]["versionId"]) == ([MRN], "2")


async def test_a_repeated_delete_is_answered_alike(fhir: httpx.AsyncClient) -> None:
    await put(fhir, patient(id="p"))
    first, again = [await fhir.delete("Patient/p") for _ in range(2)]
    assert first.status_code == again.status_code
    history = (await fhir.get("Patient/p/_history")).json()
    assert history["total"] == 2


async def test_a_transaction_with_conditions_can_be_repeated_even_at_the_same_moment(
    fhir: httpx.AsyncClient,
) -> None:
    observation = {
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "identifier": [{"system": "urn:obs", "value": "9"}],
        "subject": {"reference": "urn:uuid:0b0f4f7e-9a3a-4a53-9d8c-111111111111"},
    }  # fmt: skip
    sent = as_json({
        "resourceType": "Bundle", "type": "transaction", "entry": [
            {"fullUrl": "urn:uuid:0b0f4f7e-9a3a-4a53-9d8c-111111111111",
             "resource": patient(identifier=[MRN]),
             "request": {"method": "POST", "url": "Patient",
                         "ifNoneExist": "identifier=urn:mrn|7"}},
            {"resource": observation,
             "request": {"method": "POST", "url": "Observation",
                         "ifNoneExist": "identifier=urn:obs|9"}},
        ],
    })  # fmt: skip
    answers = await asyncio.gather(*(fhir.post("", content=sent, headers=JSON) for _ in range(8)))
    assert {one.status_code for one in answers} == {200}
    assert len({one.json()["entry"][1]["response"]["location"] for one in answers}) == 1
    assert await total(fhir, "Patient?identifier=urn:mrn|7") == 1
    assert await total(fhir, "Observation?identifier=urn:obs|9") == 1
