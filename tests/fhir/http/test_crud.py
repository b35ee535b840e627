"""create, read, update, delete over HTTP."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import httpx
from tests.fhir.resources import as_json, observation, patient

JSON = {"content-type": "application/fhir+json"}


async def post(fhir: httpx.AsyncClient, data: dict[str, object], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = str(data["resourceType"])
    return await fhir.post(kind, content=as_json(data), headers=JSON | named)


async def put(fhir: httpx.AsyncClient, data: dict[str, object], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    address = f"{data['resourceType']}/{data['id']}"
    return await fhir.put(address, content=as_json(data), headers=JSON | named)


async def test_a_created_patient_can_be_read_with_its_version_and_time(
    fhir: httpx.AsyncClient,
) -> None:
    made = await post(fhir, patient())
    assert made.status_code == 201
    body = made.json()
    assert body["meta"]["versionId"] == "1"
    assert made.headers["etag"] == 'W/"1"'
    assert made.headers["location"] == f"{fhir.base_url}Patient/{body['id']}/_history/1"
    read = await fhir.get(f"Patient/{body['id']}")
    assert read.status_code == 200
    assert read.content == made.content
    assert read.headers["last-modified"].endswith("GMT")
    assert read.headers["content-type"] == "application/fhir+json; charset=utf-8"


async def test_decimals_keep_every_digit(fhir: httpx.AsyncClient) -> None:
    raw = as_json(observation()).replace(
        b'"status"', b'"valueQuantity": {"value": 1.00, "unit": "x"}, "status"'
    )
    made = await fhir.post("Observation", content=raw, headers=JSON)
    assert b'"value":1.00,' in made.content
    read = await fhir.get(f"Observation/{made.json()['id']}")
    assert (
        json.loads(read.content, parse_float=Decimal)["valueQuantity"]["value"].as_tuple().exponent
        == -2
    )


async def test_an_update_makes_a_new_version_and_keeps_the_old_one(fhir: httpx.AsyncClient) -> None:
    made = (await post(fhir, patient("Li"))).json()
    changed = await put(fhir, patient("Wang", id=made["id"]))
    assert changed.status_code == 200
    assert changed.json()["meta"]["versionId"] == "2"
    old = await fhir.get(f"Patient/{made['id']}/_history/1")
    assert old.json()["name"][0]["family"] == "Li"
    now = await fhir.get(f"Patient/{made['id']}/_history/2")
    assert now.json()["name"][0]["family"] == "Wang"
    assert (await fhir.get(f"Patient/{made['id']}/_history/3")).status_code == 404


async def test_a_client_may_choose_the_id_by_put(fhir: httpx.AsyncClient) -> None:
    made = await put(fhir, patient(id="chosen-1"))
    assert made.status_code == 201
    assert (await fhir.get("Patient/chosen-1")).status_code == 200


async def test_a_stale_update_is_refused_with_412(fhir: httpx.AsyncClient) -> None:
    made = (await post(fhir, patient())).json()
    fresh = await put(fhir, patient("A", id=made["id"]), if_match='W/"1"')
    assert fresh.status_code == 200
    stale = await put(fhir, patient("B", id=made["id"]), if_match='W/"1"')
    assert stale.status_code == 412
    assert stale.json()["resourceType"] == "OperationOutcome"
    assert (await put(fhir, patient("B", id=made["id"]), if_match="two")).status_code == 400
    missing = await put(fhir, patient("B", id="nobody"), if_match='W/"1"')
    assert missing.status_code == 412


async def test_of_concurrent_updates_none_is_lost(fhir: httpx.AsyncClient) -> None:
    made = (await post(fhir, patient())).json()
    answers = await asyncio.gather(*(put(fhir, patient(f"N{n}", id=made["id"])) for n in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    versions = {answer.json()["meta"]["versionId"] for answer in answers}
    assert versions == {str(n) for n in range(2, 22)}


async def test_of_concurrent_conditional_updates_exactly_one_wins(fhir: httpx.AsyncClient) -> None:
    made = (await post(fhir, patient())).json()
    answers = await asyncio.gather(
        *(put(fhir, patient(f"N{n}", id=made["id"]), if_match='W/"1"') for n in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 11


async def test_two_clients_creating_the_same_id_make_two_versions(fhir: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(put(fhir, patient(f"N{n}", id="same")) for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]


async def test_a_deleted_resource_is_gone_and_its_history_stays(fhir: httpx.AsyncClient) -> None:
    made = (await post(fhir, patient())).json()
    assert (await fhir.delete(f"Patient/{made['id']}")).status_code == 204
    gone = await fhir.get(f"Patient/{made['id']}")
    assert gone.status_code == 410
    assert gone.json()["issue"][0]["code"] == "deleted"
    assert (await fhir.delete(f"Patient/{made['id']}")).status_code == 204
    assert (await fhir.get(f"Patient/{made['id']}/_history/1")).status_code == 200
    assert (await fhir.get(f"Patient/{made['id']}/_history/2")).status_code == 410
    found = await fhir.get("Patient", params={"family": "Li"})
    assert found.json()["total"] == 0
    back = await put(fhir, patient(id=made["id"]))
    assert back.json()["meta"]["versionId"] == "3"
    assert (await fhir.delete("Patient/never-there")).status_code == 204


async def test_a_reader_who_has_the_version_gets_304(fhir: httpx.AsyncClient) -> None:
    made = (await post(fhir, patient())).json()
    address = f"Patient/{made['id']}"
    same = await fhir.get(address, headers={"if-none-match": 'W/"1"'})
    assert same.status_code == 304
    assert same.content == b""
    assert (await fhir.get(address, headers={"if-none-match": 'W/"2"'})).status_code == 200
    later = {"if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    assert (await fhir.get(address, headers=later)).status_code == 304


async def test_head_answers_like_get_without_a_body(fhir: httpx.AsyncClient) -> None:
    made = await post(fhir, patient())
    head = await fhir.head(f"Patient/{made.json()['id']}")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["etag"] == 'W/"1"'
    assert int(head.headers["content-length"]) == len(made.content)


async def test_prefer_decides_what_a_write_returns(fhir: httpx.AsyncClient) -> None:
    assert (await post(fhir, patient(), prefer="return=minimal")).content == b""
    outcome = await post(fhir, patient(), prefer="return=OperationOutcome")
    assert outcome.json()["resourceType"] == "OperationOutcome"
    assert (await post(fhir, patient(), prefer="return=representation")).json()["id"]


async def test_conditional_create_makes_only_one(fhir: httpx.AsyncClient) -> None:
    one = patient(identifier=[{"system": "urn:mrn", "value": "7"}])
    answers = await asyncio.gather(
        *(post(fhir, one, if_none_exist="identifier=urn:mrn|7") for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    await post(fhir, one)
    several = await post(fhir, one, if_none_exist="identifier=urn:mrn|7")
    assert several.status_code == 412


async def test_conditional_update_and_delete_by_identifier(fhir: httpx.AsyncClient) -> None:
    one = patient(identifier=[{"system": "urn:mrn", "value": "8"}])
    params = {"identifier": "urn:mrn|8"}
    first = await fhir.put("Patient", params=params, content=as_json(one), headers=JSON)
    assert first.status_code == 201
    second = await fhir.put("Patient", params=params, content=as_json(one), headers=JSON)
    assert second.status_code == 200
    assert second.json()["id"] == first.json()["id"]
    assert (await fhir.delete("Patient", params=params)).status_code == 204
    assert (await fhir.get(f"Patient/{first.json()['id']}")).status_code == 410
    for nothing in ("Patient", "Patient?_count=1", "Patient?_sort=_id"):
        assert (await fhir.delete(nothing)).status_code == 400
