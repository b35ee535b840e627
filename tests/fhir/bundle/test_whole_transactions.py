"""A transaction as one act: patches, order, conditions, guards, and many at once."""

from __future__ import annotations

import asyncio
import base64

import httpx
from tests.fhir.bundle.test_transaction import PATIENT_URL, count, entry, send, statuses
from tests.fhir.conftest import BASE
from tests.fhir.resources import Data, as_json, observation, patient

from serai.fhir.body import encode
from serai.fhir.store import Change, FhirStore
from serai.kernel.actor import serai_itself
from serai.platform.db import Connection

JSON = {"content-type": "application/fhir+json"}


def numbered(number: int, **more: str) -> Data:
    return patient(identifier=[{"system": "urn:mrn", "value": str(number)}], **more)


def binary(*operations: Data) -> Data:
    packed = base64.b64encode(encode(operations)).decode()
    return {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": packed}


async def test_patches_of_both_kinds_in_transaction_and_batch(fhir: httpx.AsyncClient) -> None:
    await fhir.put("Patient/p", content=as_json(numbered(1, id="p")), headers=JSON)
    gender = binary({"op": "add", "path": "/gender", "value": "female"})
    birth = {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Patient"},
            {"name": "name", "valueString": "birthDate"},
            {"name": "value", "valueDate": "1950"}]}],
    }  # fmt: skip
    one = await send(fhir, "transaction", entry("PATCH", "Patient/p", gender))
    assert statuses(one) == ["200"]
    two = await send(fhir, "batch", entry("PATCH", "Patient?identifier=urn:mrn|1", birth))
    assert statuses(two) == ["200"]
    kept = (await fhir.get("Patient/p")).json()
    assert (kept["gender"], kept["birthDate"], kept["meta"]["versionId"]) == ("female", "1950", "3")
    bad = await send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient()),
        entry("PATCH", "Patient/p", binary({"op": "remove", "path": "/photo"})),
    )
    assert bad.status_code == 422
    assert await count(fhir, "Patient") == 1


async def test_what_a_transaction_deletes_no_condition_of_it_finds(
    fhir: httpx.AsyncClient,
) -> None:
    await fhir.put("Patient/p", content=as_json(numbered(1, id="p")), headers=JSON)
    answer = await send(
        fhir,
        "transaction",
        entry("POST", "Patient", numbered(1), ifNoneExist="identifier=urn:mrn|1"),
        entry("DELETE", "Patient/p"),
    )
    assert statuses(answer) == ["201", "204"]
    assert await count(fhir, "Patient") == 1


async def test_two_creates_under_one_condition_are_refused(fhir: httpx.AsyncClient) -> None:
    one = entry("POST", "Patient", numbered(1), ifNoneExist="identifier=urn:mrn|1")
    answer = await send(fhir, "transaction", one, one)
    assert answer.status_code == 400
    assert await count(fhir, "Patient") == 0


async def test_new_resources_may_refer_to_each_other_in_a_circle(fhir: httpx.AsyncClient) -> None:
    urls = ["urn:oid:1.2.3.4", f"{BASE}/Patient/123"]
    linked = [
        patient(link=[{"other": {"reference": other}, "type": "seealso"}]) for other in urls[::-1]
    ]
    answer = await send(
        fhir,
        "transaction",
        *(
            entry("POST", "Patient", one, full_url=url)
            for one, url in zip(linked, urls, strict=True)
        ),
    )
    assert statuses(answer) == ["201", "201"]
    places = [e["response"]["location"].partition("/_history")[0] for e in answer.json()["entry"]]
    for place, other in zip(places, places[::-1], strict=True):
        assert (await fhir.get(place)).json()["link"][0]["other"]["reference"] == other


async def test_a_guard_sees_what_the_same_transaction_brings_along(
    fhir: httpx.AsyncClient, store: FhirStore
) -> None:
    async def about_somebody(tx: Connection, change: Change) -> bool:
        subject = (change.new or {}).get("subject", {}).get("reference", "")
        if subject:
            await store.read(tx, *subject.split("/"), actor=serai_itself)
        return False

    store.guard("Observation", about_somebody)
    both = await send(
        fhir,
        "transaction",
        entry("POST", "Observation", observation(PATIENT_URL)),
        entry("POST", "Patient", patient(), full_url=PATIENT_URL),
    )
    assert statuses(both) == ["201", "201"]
    alone = await send(fhir, "transaction", entry("POST", "Observation", observation("Patient/x")))
    assert alone.status_code == 404
    assert await count(fhir, "Observation") == 1


async def test_sixteen_transactions_over_the_same_conditions_make_each_resource_once(
    fhir: httpx.AsyncClient,
) -> None:
    def entries(turn: int) -> list[Data]:
        made = [
            entry("POST", "Patient", numbered(n), ifNoneExist=f"identifier=urn:mrn|{n}")
            for n in range(4)
        ]
        made += [
            entry("PUT", f"Patient?identifier=urn:mrn|{n}", numbered(n)) for n in range(10, 13)
        ]
        return made if turn % 2 else made[::-1]

    answers = await asyncio.gather(
        *(send(fhir, "transaction", *entries(turn)) for turn in range(16))
    )
    assert {answer.status_code for answer in answers} == {200}
    acknowledged = {
        one["response"]["location"] for answer in answers for one in answer.json()["entry"]
    }
    assert await count(fhir, "Patient") == 7
    assert len(acknowledged) == 4 + 3 * 16
    for place in acknowledged:
        assert (await fhir.get(place)).status_code == 200
