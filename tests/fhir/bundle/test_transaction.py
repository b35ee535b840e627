"""transaction and batch over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.fhir.resources import Data, as_json, observation, patient

from serai.fhir.store import Change, FhirStore
from serai.kernel.errors import Conflict
from serai.platform.db import Connection

JSON = {"content-type": "application/fhir+json"}
PATIENT_URL = "urn:uuid:7a1c2d6e-0000-4000-8000-000000000001"


def entry(method: str, url: str, resource: Data | None = None, **more: Any) -> Data:
    made: Data = {"request": {"method": method, "url": url}}
    if resource is not None:
        made["resource"] = resource
    if "full_url" in more:
        made["fullUrl"] = more.pop("full_url")
    made["request"] |= more
    return made


async def send(fhir: httpx.AsyncClient, kind: str, *entries: Data) -> httpx.Response:
    bundle = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return await fhir.post("", content=as_json(bundle), headers=JSON)


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["response"]["status"] for one in answer.json()["entry"]]


async def count(fhir: httpx.AsyncClient, kind: str) -> int:
    total: int = (await fhir.get(f"{kind}?_summary=count")).json()["total"]
    return total


async def test_entries_refer_to_each_other_by_urn_uuid(fhir: httpx.AsyncClient) -> None:
    answer = await send(
        fhir,
        "transaction",
        entry("POST", "Observation", observation(PATIENT_URL)),
        entry("POST", "Patient", patient(), full_url=PATIENT_URL),
    )
    assert statuses(answer) == ["201", "201"]
    body = answer.json()
    assert body["type"] == "transaction-response"
    made, subject = (one["response"]["location"] for one in body["entry"])
    kept = (await fhir.get(made)).json()
    assert kept["subject"]["reference"] == subject.partition("/_history")[0]
    found = await fhir.get("Observation", params={"patient": kept["subject"]["reference"]})
    assert found.json()["total"] == 1


async def test_an_identifier_that_looks_like_a_full_url_stays_as_sent(
    fhir: httpx.AsyncClient,
) -> None:
    same = patient(identifier=[{"system": "urn:ietf:rfc:3986", "value": PATIENT_URL}])
    answer = await send(fhir, "transaction", entry("POST", "Patient", same, full_url=PATIENT_URL))
    kept = (await fhir.get(answer.json()["entry"][0]["response"]["location"])).json()
    assert kept["identifier"][0]["value"] == PATIENT_URL


async def test_one_bad_entry_undoes_all_and_is_named(fhir: httpx.AsyncClient) -> None:
    answer = await send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient()),
        entry("POST", "Patient", patient(gender="nonsense")),
    )
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1].resource.gender"]
    assert await count(fhir, "Patient") == 0


async def test_a_stale_version_undoes_all(fhir: httpx.AsyncClient) -> None:
    await fhir.put("Patient/a", content=as_json(patient(id="a")), headers=JSON)
    answer = await send(
        fhir,
        "transaction",
        entry("POST", "Observation", observation("Patient/a")),
        entry("PUT", "Patient/a", patient("New", id="a"), ifMatch='W/"7"'),
    )
    assert answer.status_code == 412
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert await count(fhir, "Observation") == 0


async def test_order_is_delete_post_put_get_and_answers_keep_their_place(
    fhir: httpx.AsyncClient,
) -> None:
    for name in ("a", "b"):
        await fhir.put(f"Patient/{name}", content=as_json(patient(id=name)), headers=JSON)
    answer = await send(
        fhir,
        "transaction",
        entry("GET", "Patient?_summary=count"),
        entry("GET", "Patient/b"),
        entry("PUT", "Patient/b", patient("Changed", id="b")),
        entry("POST", "Patient", patient()),
        entry("DELETE", "Patient/a"),
    )
    assert statuses(answer) == ["200", "200", "200", "201", "204"]
    entries = answer.json()["entry"]
    assert entries[0]["resource"]["total"] == 2
    assert entries[1]["resource"]["name"][0]["family"] == "Changed"


async def test_conditional_create_and_references_in_a_transaction(fhir: httpx.AsyncClient) -> None:
    known = patient(id="known", identifier=[{"system": "urn:mrn", "value": "1"}])
    await fhir.put("Patient/known", content=as_json(known), headers=JSON)
    answer = await send(
        fhir,
        "transaction",
        entry("POST", "Patient", known, full_url=PATIENT_URL, ifNoneExist="identifier=urn:mrn|1"),
        entry("POST", "Observation", observation(PATIENT_URL)),
        entry("POST", "Observation", observation("Patient?identifier=urn:mrn|1")),
        entry(
            "PUT",
            "Patient?identifier=urn:mrn|2",
            patient(identifier=[{"system": "urn:mrn", "value": "2"}]),
        ),
        entry("DELETE", "Patient?identifier=urn:mrn|3"),
    )
    assert statuses(answer) == ["200", "201", "201", "201", "204"]
    assert (await fhir.get("Observation?patient=known")).json()["total"] == 2
    missing = await send(
        fhir, "transaction", entry("POST", "Observation", observation("Patient?identifier=none"))
    )
    assert missing.status_code == 412


async def test_bundles_that_make_no_sense_are_refused(fhir: httpx.AsyncClient) -> None:
    twice = await send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient(), full_url=PATIENT_URL),
        entry("POST", "Patient", patient(), full_url=PATIENT_URL),
    )
    assert twice.status_code == 400
    same = await send(
        fhir,
        "transaction",
        entry("PUT", "Patient/a", patient(id="a")),
        entry("DELETE", "Patient/a"),
    )
    assert same.status_code == 400
    dangling = await send(
        fhir, "transaction", entry("POST", "Observation", observation(PATIENT_URL))
    )
    assert dangling.status_code == 422
    assert (await send(fhir, "collection")).status_code == 422
    assert (await send(fhir, "transaction", {"resource": patient()})).status_code == 400
    assert (await send(fhir, "transaction", entry("POST", "Patient"))).status_code == 400
    assert (await send(fhir, "batch", entry("BREW", "Patient/1"))).status_code == 400
    assert (await fhir.post("", content=as_json(patient()), headers=JSON)).status_code == 400
    odd = {"resourceType": "Bundle", "type": "batch", "entry": {"request": 1}}
    assert (await fhir.post("", content=as_json(odd), headers=JSON)).status_code == 400
    assert await count(fhir, "Patient") == 0


async def test_a_batch_gives_each_entry_its_own_outcome(fhir: httpx.AsyncClient) -> None:
    answer = await send(
        fhir,
        "batch",
        entry("POST", "Patient", patient()),
        entry("POST", "Patient", patient(gender="nonsense")),
        entry("GET", "Patient/absent"),
        entry("GET", "Patient?_summary=count"),
        entry("GET", "Nonsense/1"),
        entry("POST", "Patient", patient("Second")),
    )
    assert statuses(answer) == ["201", "422", "404", "200", "404", "201"]
    entries = answer.json()["entry"]
    assert entries[1]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert entries[3]["resource"]["total"] == 1
    assert await count(fhir, "Patient") == 2


async def test_an_empty_bundle_is_answered_by_an_empty_one(fhir: httpx.AsyncClient) -> None:
    for kind in ("batch", "transaction"):
        answer = await send(fhir, kind)
        assert answer.json() == {"resourceType": "Bundle", "type": f"{kind}-response"}


async def test_a_guard_refuses_inside_a_transaction_too(
    fhir: httpx.AsyncClient, store: FhirStore
) -> None:
    async def no_wang(tx: Connection, change: Change) -> bool:
        if change.new and change.new["name"][0]["family"] == "Wang":
            raise Conflict("test.no-wang")
        return False

    store.guard("Patient", no_wang)
    answer = await send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient("Li")),
        entry("POST", "Patient", patient("Wang")),
    )
    assert answer.status_code == 409
    assert await count(fhir, "Patient") == 0


PATIENT = '{"resourceType":"Patient","gender":"male"}'


@pytest.mark.parametrize(
    "bundle",
    [
        '{"resourceType":"Bundle","type":"batch","type":"transaction"}',
        '{"resourceType":"Bundle","type":"batch","entry":[],"entry":[]}',
        '{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"POST","url":'
        '"Patient"},"resource":' + PATIENT + ',"resource":' + PATIENT + "}]}",
        '{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"POST","method":'
        '"PUT","url":"Patient"},"resource":' + PATIENT + "}]}",
    ],
)
async def test_a_key_given_twice_anywhere_in_the_bundle_is_refused(
    fhir: httpx.AsyncClient, bundle: str
) -> None:
    answer = await fhir.post("", content=bundle, headers={"content-type": "application/fhir+json"})
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "fhir.duplicate-key"


async def test_a_bundle_with_spaces_and_escapes_in_its_keys_is_read(
    fhir: httpx.AsyncClient,
) -> None:
    bundle = (
        '{ "resourceType" : "Bundle", "t\\u0079pe" : "batch", "entry" : [ {'
        '"request": {"method": "POST", "url": "Patient"}, "resource": ' + PATIENT + "} ] }"
    )
    answer = await fhir.post("", content=bundle, headers={"content-type": "application/fhir+json"})
    assert answer.json()["entry"][0]["response"]["status"] == "201", answer.text
