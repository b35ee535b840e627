"""R4 §3.1.0.1.4 and RFC 9110: what is hostile or broken gets a clear outcome in bounded time."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from tests.fhir.conftest import BASE, MACHINE, SignedIn, as_actor, fhir, store
from tests.fhir.resources import Data, as_json, patient

from serai.fhir.http import FhirDoor
from serai.fhir.http.bodies import MOST_BYTES
from serai.fhir.store import FhirStore
from serai.platform.db import Database
from serai.platform.settings import Settings

__all__ = ["as_actor", "fhir", "store"]

JSON = {"content-type": "application/fhir+json"}
NUMBER = (
    b'{"resourceType":"Observation","status":"final","code":{"text":"x"},'
    b'"valueQuantity":{"value":%b}}'
)
IDENTIFIED = patient(identifier=[{"system": "urn:mrn", "value": "1"}])


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b'{"resourceType":"Patient","extension":' + b'[{"extension":' * 50_000, {400}),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {400}),
        (b'\xef\xbb\xbf{"resourceType":"Patient"}', {400}),
        (b'{"resourceType":"Patient","language":"\xc3\x28"}', {400}),
        (b'{"resourceType":"Patient","__proto__":{"active":true}}', {422}),
        (b'{"resourceType":"Patient","constructor":1}', {422}),
        (NUMBER % b"NaN", {400}),
        (NUMBER % b"01", {400}),
        (b'{"resourceType":"Patient","active":true,"active":true}', {400}),
        (b'{"resourceType":7}', {400}),
        (b"null", {400}),
    ],
)
async def test_a_broken_body_is_refused(
    fhir: httpx.AsyncClient, body: bytes, statuses: set[int]
) -> None:
    kind = "Observation" if b"Observation" in body else "Patient"
    answer = await asyncio.wait_for(fhir.post(kind, content=body, headers=JSON), 5)
    assert answer.status_code in statuses, answer.text[:300]
    assert answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("number", [b"1e400", b"-1e-400", b"9" * 10_000, b"0." + b"1" * 10_000])
async def test_a_huge_number_is_kept_or_refused_but_never_altered(
    fhir: httpx.AsyncClient, number: bytes
) -> None:
    answer = await asyncio.wait_for(
        fhir.post("Observation", content=NUMBER % number, headers=JSON), 5
    )
    assert answer.status_code in (201, 400, 422), answer.text[:300]
    if answer.status_code == 201:
        assert b'"value":' + number + b"}" in answer.content


async def test_a_body_announced_too_large_is_refused_before_it_is_read(
    fhir: httpx.AsyncClient,
) -> None:
    huge = JSON | {"content-length": str(MOST_BYTES + 1)}
    answer = await fhir.post("Patient", content=b"{}", headers=huge)
    assert answer.status_code == 413


async def test_a_compressed_body_is_415(fhir: httpx.AsyncClient) -> None:
    answer = await fhir.post("Patient", content=b"{}", headers=JSON | {"content-encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
@pytest.mark.parametrize("address", ["Patient", "Patient/1", "metadata", ""])
async def test_a_method_nobody_offers_is_405_and_names_those_offered(
    fhir: httpx.AsyncClient, method: str, address: str
) -> None:
    answer = await fhir.request(method, address)
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "address",
    ["Patient//1", "Patient/" + "x" * 65, "Patient/a%20b", "Patient/%2e%2e", "Pat%69ents",
     "patient/1", "__proto__", "Patient/a%00b"],
)  # fmt: skip
async def test_an_address_that_cannot_be_is_404(fhir: httpx.AsyncClient, address: str) -> None:
    assert (await fhir.get(address)).status_code == 404


async def test_an_ignored_parameter_never_returns_everything(fhir: httpx.AsyncClient) -> None:
    await fhir.post("Patient", content=as_json(patient()), headers=JSON)
    for query in ("nonsense=1", "_nonsense=1", "family:sounds=Li", "__proto__=1"):
        assert (await fhir.get(f"Patient?{query}")).status_code == 400
        assert (await fhir.delete(f"Patient?{query}")).status_code == 400
    lenient = await fhir.get("Patient?nonsense=1", headers={"prefer": "handling=lenient"})
    told = lenient.json()["entry"][-1]
    assert told["search"]["mode"] == "outcome"
    assert "nonsense" in told["resource"]["issue"][0]["diagnostics"]


async def test_a_bundle_of_20_001_entries_is_413(fhir: httpx.AsyncClient) -> None:
    one = {"resource": patient(), "request": {"method": "POST", "url": "Patient"}}
    for kind in ("batch", "transaction"):
        bundle = {"resourceType": "Bundle", "type": kind, "entry": [one] * 20_001}
        answer = await fhir.post("", content=as_json(bundle), headers=JSON)
        assert answer.status_code == 413
        said = answer.json()["issue"][0]["diagnostics"]
        assert said == "A Bundle can have at most 20000 entries."
    assert (await fhir.get("Patient?_summary=count")).json()["total"] == 0


async def test_a_conditional_delete_of_1001_matches_deletes_none(fhir: httpx.AsyncClient) -> None:
    one = {"resource": patient("Mass"), "request": {"method": "POST", "url": "Patient"}}
    many = transaction(*[one] * 1001)
    assert (await fhir.post("", content=many, headers=JSON)).status_code == 200
    refused = await fhir.delete("Patient?family=Mass")
    assert refused.status_code == 412
    assert refused.json()["issue"][0]["diagnostics"] == (
        "The condition matches more than 1000 Patient resources; so many are not deleted at once."
    )
    assert (await fhir.get("Patient?_summary=count")).json()["total"] == 1001


async def test_if_match_with_several_matches_says_so(fhir: httpx.AsyncClient) -> None:
    for _ in range(2):
        await fhir.post("Patient", content=as_json(IDENTIFIED), headers=JSON)
    refused = await fhir.delete("Patient?identifier=urn:mrn|1", headers={"if-match": 'W/"1"'})
    assert refused.status_code == 412
    issue = refused.json()["issue"][0]
    assert issue["code"] == "multiple-matches"
    assert (
        issue["diagnostics"] == "If-Match names one version; the condition matches several Patient."
    )
    assert (await fhir.get("Patient?_summary=count")).json()["total"] == 2


async def test_24_parallel_conditional_creates_make_one(fhir: httpx.AsyncClient) -> None:
    headers = JSON | {"if-none-exist": "identifier=urn:mrn|1"}
    answers = await asyncio.gather(
        *(fhir.post("Patient", content=as_json(IDENTIFIED), headers=headers) for _ in range(24))
    )
    assert Counter(one.status_code for one in answers) == {201: 1, 200: 23}
    assert len({one.json()["id"] for one in answers}) == 1


async def test_every_acknowledged_update_of_a_storm_is_in_the_history(
    fhir: httpx.AsyncClient,
) -> None:
    async def writer(number: int) -> list[str]:
        versions = []
        for turn in range(25):
            body = as_json(patient(f"W{number}-{turn}", id="p"))
            answer = await fhir.put("Patient/p", content=body, headers=JSON)
            assert answer.status_code in (200, 201), answer.text
            versions.append(answer.json()["meta"]["versionId"])
        return versions

    acknowledged = [v for one in await asyncio.gather(*map(writer, range(16))) for v in one]
    assert sorted(map(int, acknowledged)) == list(range(1, 401))
    history = (await fhir.get("Patient/p/_history?_count=1000")).json()["entry"]
    assert len({one["resource"]["name"][0]["family"] for one in history}) == 400


async def test_200_clients_on_two_connections_get_an_answer_or_an_honest_503(
    database_url: str,
) -> None:
    app = Starlette(middleware=[Middleware(FhirDoor)])
    app.state.db = await Database.open(database_url, max_size=2, wait_s=0.2)
    app.state.fhir = FhirStore(base=BASE)
    app.state.settings = Settings()
    transport = httpx.ASGITransport(app=SignedIn(app, MACHINE))
    async with httpx.AsyncClient(transport=transport, base_url=f"{BASE}/") as client:
        answers = await asyncio.wait_for(
            asyncio.gather(
                *(client.post("Patient", content=as_json(patient()), headers=JSON)
                  for _ in range(200))
            ), 60,
        )  # fmt: skip
        after = await client.get("Patient?_summary=count")
    await app.state.db.close()
    counted = Counter(one.status_code for one in answers)
    assert set(counted) <= {201, 503}
    assert all("retry-after" in one.headers for one in answers if one.status_code == 503)
    assert after.json()["total"] == counted[201]


def transaction(*requests: Data) -> bytes:
    return as_json({"resourceType": "Bundle", "type": "transaction", "entry": list(requests)})
