"""$import: NDJSON sent here, kept with the rights of its sender."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.fhir.bulk.conftest import Node
from tests.fhir.bulk.test_export import CITY, COUNTY, keep, observation, patient
from tests.fhir.conftest import MACHINE

NDJSON = {"content-type": "application/fhir+ndjson"}


def lines(*resources: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in resources)


async def test_what_is_sent_is_kept_and_what_is_refused_is_listed(node: Node) -> None:
    wrong = {"resourceType": "Observation", "id": "wrong", "status": "no such status"}
    sent = lines(patient("zhang"), wrong, observation("pulse", "zhang"))
    async with node.client() as client:
        answer = await node.finished(
            client, await client.post("$import", content=sent, headers=NDJSON)
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["extension"] == {"imported": 2}
        (errors,) = answer.json()["error"]
        (outcome,) = (await client.get(errors["url"])).text.splitlines()
        assert "line 2" in json.loads(outcome)["issue"][0]["diagnostics"]
        assert (await client.get("Observation/pulse")).status_code == 200
        assert (await client.get("Observation/wrong")).status_code == 404


async def test_an_upload_goes_no_further_than_its_senders_rights(node: Node) -> None:
    await keep(node, COUNTY, patient("li"))
    sent = lines(observation("not-ours", "li"), patient("zhang"), {"resourceType": "Basic"})
    sender = replace(CITY, scopes=frozenset({"system/Patient.cu", "system/Observation.cu"}))
    async with node.client(sender) as client:
        answer = await node.finished(
            client, await client.post("$import", content=sent, headers=NDJSON)
        )
    assert answer.json()["extension"] == {"imported": 1}
    assert [one["count"] for one in answer.json()["error"]] == [2]
    async with node.client() as client:
        assert (await client.get("Observation/not-ours")).status_code == 404


async def test_an_import_is_posted_as_ndjson_by_whoever_may_write(node: Node) -> None:
    plain = {"content-type": "text/plain"}
    async with node.client() as client:
        assert (await client.post("$import", content=b"{}", headers=plain)).status_code == 415
        assert (await client.get("$import")).status_code == 405
    async with node.client(replace(MACHINE, scopes=frozenset({"system/*.rs"}))) as client:
        assert (await client.post("$import", content=b"{}", headers=NDJSON)).status_code == 403
