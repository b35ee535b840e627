"""Bulk Data Access IG 2.0.0, "Request Flow", section by section."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.fhir.bulk.conftest import ASYNC, Node, home, node
from tests.fhir.bulk.test_export import CITY, keep, patient
from tests.fhir.conftest import MACHINE

__all__ = ["home", "node"]

REFUSED = [
    ("without Prefer: respond-async", "$export", {}, 400),
    ("another output format", "$export?_outputFormat=text/csv", ASYNC, 400),
    ("a type that is none", "$export?_type=Patient,Nonsense", ASYNC, 400),
    ("a type outside the compartment", "Patient/$export?_type=Location", ASYNC, 400),
    ("_since without a time", "$export?_since=yesterday", ASYNC, 400),
    ("_since without a zone", "$export?_since=2024-01-01T00:00:00", ASYNC, 400),
    ("a filter that search does not know", "$export?_typeFilter=Patient%3Fnosuch%3D1", ASYNC, 400),
    ("a filter of another type", "$export?_type=Patient&_typeFilter=Basic%3Fcode%3D1", ASYNC, 400),
    ("a filter that sorts", "$export?_typeFilter=Patient%3F_sort%3Dname", ASYNC, 400),
    ("an element that no type has", "$export?_elements=nosuch", ASYNC, 400),
    ("an element of another type", "$export?_type=Patient&_elements=Patient.status", ASYNC, 400),
    ("associated data", "$export?includeAssociatedData=LatestProvenanceResources", ASYNC, 400),
    ("associated data", "$export?includeAssociatedData=x", ASYNC, 400),
    ("an unknown parameter", "$export?_nonsense=1", ASYNC, 400),
    ("patient in a GET", "Patient/$export?patient=Patient/1", ASYNC, 400),
    ("a group that is not there", "Group/none/$export", ASYNC, 404),
    ("another type's $export", "Observation/$export", ASYNC, 404),
    ("XML", "$export", ASYNC | {"accept": "application/fhir+xml"}, 406),
]


@pytest.mark.parametrize(("what", "address", "headers", "status"), REFUSED)
async def test_kick_off_request_errors(
    node: Node, what: str, address: str, headers: dict[str, str], status: int
) -> None:
    async with node.client() as client:
        answer = await client.get(address, headers=headers)
    assert answer.status_code == status, what
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_kick_off_response_success(node: Node) -> None:
    async with node.client() as client:
        answer = await client.get("$export?_outputFormat=ndjson", headers=ASYNC)
        assert answer.status_code == 202
        assert answer.content == b""
        status = await client.get(answer.headers["content-location"])
    assert status.status_code == 202
    assert status.headers["x-progress"] == "waiting"
    assert int(status.headers["retry-after"]) > 0


async def test_complete_status(node: Node) -> None:
    await keep(node, MACHINE, patient("1"))
    asked_at = datetime.now(UTC)
    async with node.client() as client:
        kicked = await client.get("$export?_type=Patient", headers=ASYNC)
        answer = await node.finished(client, kicked)
        manifest = answer.json()
        (output,) = manifest["output"]
        file = await client.get(output["url"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["expires"].endswith("GMT")
    assert datetime.fromisoformat(manifest["transactionTime"]) <= asked_at
    assert manifest["request"] == "http://serai.test/fhir/$export?_type=Patient"
    assert manifest["requiresAccessToken"] is True
    assert (manifest["deleted"], manifest["error"]) == ([], [])
    assert (output["type"], output["count"]) == ("Patient", 1)
    assert file.headers["content-type"].startswith("application/fhir+ndjson")


async def test_bulk_data_delete_request(node: Node) -> None:
    async with node.client() as client:
        kicked = await client.get("$export", headers=ASYNC)
        address = kicked.headers["content-location"]
        assert (await client.delete(address)).status_code == 202
        later = await client.delete(address)
    assert later.status_code == 404
    assert later.json()["resourceType"] == "OperationOutcome"


async def test_error_status_of_an_export_whose_token_was_revoked(node: Node) -> None:
    await keep(node, CITY, patient("1"))
    async with node.db.connection() as connection:
        await connection.execute(
            """INSERT INTO access_token
                   (id, secret_sha256, name, scopes, issued_at, expires_at, revoked_at)
               VALUES ('city', 'x', '', '{}', now(), now(), now())"""
        )
    async with node.client(CITY) as client:
        answer = await node.finished(client, await client.get("$export", headers=ASYNC))
    assert answer.status_code == 500
    assert answer.json()["resourceType"] == "OperationOutcome"
