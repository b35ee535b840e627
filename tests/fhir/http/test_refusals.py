"""What is refused, and with which words."""

from __future__ import annotations

import httpx
import pytest
from tests.fhir.conftest import Client
from tests.fhir.resources import as_json, patient

from serai.fhir.http.bodies import MOST_BYTES
from serai.kernel.actor import Actor, Kind

JSON = {"content-type": "application/fhir+json"}


def outcome(answer: httpx.Response) -> dict[str, object]:
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    issue: dict[str, object] = body["issue"][0]
    return issue


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"resourceType":"Patient"',
        b'{"resourceType":"Patient","active":true,"active":false}',
        b'{"resourceType":"Patient","id":"a\\u0000"}',
        b'{"resourceType":"Patient","language":"\xff"}',
        b'{"active":true}',
        b'{"resourceType":"Observation","status":"final"}',
        b"[" * 100_000,
    ],
)
async def test_what_cannot_be_read_is_400(fhir: httpx.AsyncClient, raw: bytes) -> None:
    answer = await fhir.post("Patient", content=raw, headers=JSON)
    assert answer.status_code == 400
    assert outcome(answer)["diagnostics"]


async def test_what_breaks_r4_is_422_with_the_place(fhir: httpx.AsyncClient) -> None:
    answer = await fhir.post(
        "Patient",
        content=as_json({"resourceType": "Patient", "gender": "x", "foo": 1}),
        headers=JSON,
    )
    assert answer.status_code == 422
    places = {place for issue in answer.json()["issue"] for place in issue["expression"]}
    assert places == {"Patient.gender", "Patient.foo"}


async def test_address_and_body_must_agree(fhir: httpx.AsyncClient) -> None:
    other = await fhir.put("Patient/a", content=as_json(patient(id="b")), headers=JSON)
    assert other.status_code == 400
    without = await fhir.put("Patient/a", content=as_json(patient()), headers=JSON)
    assert without.status_code == 400
    wrong = await fhir.put("Observation/a", content=as_json(patient(id="a")), headers=JSON)
    assert wrong.status_code == 400


@pytest.mark.parametrize(
    "address",
    ["Nonsense", "Nonsense/1", "patient", "Patient/1/2", "Patient/a_b", "Patient/$nothing",
     "Patient/" + "x" * 65, "$nothing", "Patient/1/_history/x", "Patient/absent"],
)  # fmt: skip
async def test_unknown_addresses_are_404(fhir: httpx.AsyncClient, address: str) -> None:
    answer = await fhir.get(address)
    assert answer.status_code == 404
    assert outcome(answer)["code"] == "not-found"


async def test_methods_not_offered_are_405_and_name_those_that_are(fhir: httpx.AsyncClient) -> None:
    answer = await fhir.post("Patient/1", content=b"[]")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, PATCH, PUT"
    assert (await fhir.delete("")).status_code == 405


async def test_only_json_goes_in_and_out(fhir: httpx.AsyncClient) -> None:
    xml = await fhir.post(
        "Patient", content=b"<x/>", headers={"content-type": "application/fhir+xml"}
    )
    assert xml.status_code == 415
    assert (await fhir.post("Patient", content=b"{}")).status_code == 415
    latin = {"content-type": "application/fhir+json; charset=iso-8859-1"}
    assert (await fhir.post("Patient", content=b"{}", headers=latin)).status_code == 415
    for headers, params in (
        ({"accept": "application/fhir+xml"}, {}),
        ({}, {"_format": "xml"}),
        ({"accept": "application/fhir+json; fhirVersion=3.0"}, {}),
    ):
        answer = await fhir.get("Patient", headers=headers, params=params)
        assert answer.status_code == 406
        assert outcome(answer)["code"] == "not-supported"
    for accept in (
        "text/html,*/*;q=0.8",
        "application/json",
        "application/fhir+json;fhirVersion=4.0",
    ):
        assert (await fhir.get("Patient", headers={"accept": accept})).status_code == 200
    pretty = await fhir.get(
        "Patient", params={"_format": "application/fhir+json", "_pretty": "true"}
    )
    assert pretty.content.startswith(b"{\n")


async def test_a_body_past_the_limit_is_413(fhir: httpx.AsyncClient) -> None:
    answer = await fhir.post("Binary", content=b" " * (MOST_BYTES + 1), headers=JSON)
    assert answer.status_code == 413


async def test_nobody_reads_without_signing_in_but_the_capability_statement(
    as_actor: Client,
) -> None:
    stranger = as_actor(None)
    for address in ("Patient", "Patient/1", "_history", "Nonsense"):
        answer = await stranger.get(address)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert outcome(answer)["code"] == "login"
    assert (await stranger.get("metadata")).status_code == 200


async def test_scopes_decide_what_an_actor_may_do(as_actor: Client) -> None:
    reader = as_actor(
        Actor("r", Kind.MACHINE, "reader", "system", scopes=frozenset({"system/Patient.r"}))
    )
    assert (await reader.get("Patient/1")).status_code == 404
    assert (await reader.get("Patient")).status_code == 403
    assert (await reader.get("Observation/1")).status_code == 403
    answer = await reader.post("Patient", content=as_json(patient()), headers=JSON)
    assert answer.status_code == 403
    assert outcome(answer)["code"] == "forbidden"
    assert (await reader.delete("Patient/1")).status_code == 403
    assert (await reader.get("_history")).status_code == 200
    nothing = as_actor(Actor("n", Kind.MACHINE, "none", "system"))
    assert (await nothing.get("_history")).status_code == 403
