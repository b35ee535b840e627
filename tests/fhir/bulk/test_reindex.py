"""$reindex: visible, joined by whoever asks for the same, and complete."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fhir.bulk.conftest import Node
from tests.fhir.bulk.test_export import CITY, keep, observation, patient
from tests.fhir.conftest import MACHINE

from serai.kernel.clock import utc_now
from serai.platform.jobs import cancel, find

WIPE = """WITH strings AS (DELETE FROM fhir_string), dates AS (DELETE FROM fhir_date)
    UPDATE fhir_resource SET keys = '{}', patients = '{}'"""


async def with_a_lost_index(node: Node) -> None:
    named = {"family": "Zhang"}
    await keep(node, MACHINE, patient("zhang") | {"name": [named], "birthDate": "1950-03-01"})
    await keep(node, MACHINE, patient("wang") | {"name": [{"family": "Zhang"}]})
    await keep(node, MACHINE, observation("pulse", "zhang"))
    async with node.db.transaction() as tx:
        await tx.execute(WIPE)


async def totals(node: Node) -> list[int]:
    queries = ("Patient?name=zhang", "Patient?birthdate=1950-03-01", "Observation?patient=zhang")
    async with node.client() as client:
        bundles = [(await client.get(query)).json() for query in queries]
    return [len(bundle.get("entry", [])) for bundle in bundles]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("$reindex", [2, 1, 1]),
        ("Patient/$reindex", [2, 1, 0]),
        ("Patient/zhang/$reindex", [1, 1, 0]),
    ],
)
async def test_what_the_index_lost_is_found_again(
    node: Node, address: str, expected: list[int]
) -> None:
    await with_a_lost_index(node)
    assert await totals(node) == [0, 0, 0]
    async with node.client() as client:
        answer = await node.finished(client, await client.post(address))
    assert answer.status_code == 200, answer.text
    assert await totals(node) == expected


async def test_asking_again_joins_the_job_under_way(node: Node) -> None:
    async with node.client() as client:
        kicked = [await client.post("Patient/$reindex") for _ in range(2)]
        other = await client.post("$reindex")
    addresses = [one.headers["content-location"] for one in (*kicked, other)]
    assert len(set(addresses)) == 2
    assert addresses[0] == addresses[1]


async def test_an_organisations_token_cannot_re_index(node: Node) -> None:
    async with node.client(CITY) as client:
        assert (await client.post("$reindex")).status_code == 403
    async with node.client(replace(MACHINE, scopes=frozenset({"system/*.rs"}))) as client:
        assert (await client.post("Patient/$reindex")).status_code == 403


async def test_a_waiting_job_says_so_and_a_cancelled_one_is_over(node: Node) -> None:
    async with node.client() as client:
        kicked = await client.post("$reindex")
        address = kicked.headers["content-location"]
        waiting = await client.get(address)
        assert (waiting.status_code, waiting.headers["x-progress"]) == (202, "waiting")
        assert waiting.headers["retry-after"] == "2"
        async with node.db.connection() as connection:
            await cancel(connection, address.rpartition("/")[2], now=utc_now())
            job = await find(connection, address.rpartition("/")[2])
        assert job is not None
        assert job.status == "cancelled"
        assert (await client.get(address)).status_code == 404


async def test_a_job_that_fell_out_of_the_queue_is_done_all_the_same(node: Node) -> None:
    await with_a_lost_index(node)
    async with node.client() as client:
        kicked = await client.post("Patient/$reindex")
        async with node.db.connection() as connection:
            await connection.execute("DELETE FROM procrastinate_jobs")
        answer = await node.finished(client, kicked)
    assert answer.status_code == 200
