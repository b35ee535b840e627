"""What the FHIR API promises while many ask at once, parts of it die, and bodies never end: shown
on the real server, with two workers of two database connections each."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from tests.fhir.resources import Data, patient
from tests.serving.conftest import Place, Server, eventually, free_port

from serai.platform.postgres import Cluster

pytestmark = pytest.mark.timeout(150)

SMALL = {
    "SERAI_DATABASE_CONNECTIONS": "2",
    "SERAI_DATABASE_WAIT_S": "1.5",
}
JSON = {"content-type": "application/fhir+json"}
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Node:
    """The running server and the right to use it."""

    server: Server
    token: str

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.place.port}/fhir/"

    @property
    def workers(self) -> set[int]:
        return self.server.children("serai.serving.part web")

    @asynccontextmanager
    async def client(self) -> AsyncIterator[aiohttp.ClientSession]:
        """As many connections as it likes, so that both workers get their share."""
        session = aiohttp.ClientSession(
            self.base,
            headers=JSON | {"authorization": f"Bearer {self.token}"},
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=60),
        )
        async with session:
            yield session
        # Connections that a server cut off close a moment after the session.
        await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
def node(used_place: Place) -> Iterator[Node]:
    place = replace(used_place, port=free_port(), dimse_port=free_port(), more=SMALL)
    server = Server(place, ["--workers", "2"])
    try:
        server.wait_until_ready()
        token = place.serai("token", "--scope", "system/*.cruds").stdout.strip()
        yield Node(server, token)
    finally:
        if server.process.poll() is None:
            server.stop()


def numbered(family: str, system: str) -> Data:
    return patient(family, identifier=[{"system": system, "value": "1"}])


def bundle_of(kind: str, entries: list[Data]) -> Data:
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


async def counted(client: aiohttp.ClientSession, query: str) -> int:
    async with client.get(f"Patient?{query}&_summary=count") as answer:
        total: int = (await answer.json())["total"]
        return total


async def test_24_parallel_conditional_creates_make_one(node: Node) -> None:
    headers = {"if-none-exist": "identifier=urn:load|1"}

    async def create(client: aiohttp.ClientSession) -> tuple[int, str]:
        made = numbered("Once", "urn:load")
        async with client.post("Patient", json=made, headers=headers) as answer:
            return answer.status, (await answer.json())["id"]

    async with node.client() as client:
        answers = await asyncio.gather(*(create(client) for _ in range(24)))
        assert await counted(client, "identifier=urn:load|1") == 1
    assert Counter(status for status, _ in answers) == {201: 1, 200: 23}
    assert len({id for _, id in answers}) == 1


async def test_no_acknowledged_update_of_a_storm_is_lost_or_overwritten(node: Node) -> None:
    kept: dict[int, str] = {}
    refused = Counter[int]()

    async def writer(client: aiohttp.ClientSession, name: int) -> None:
        for turn in range(12):
            async with client.get("Patient/storm") as found:
                version = found.headers["etag"]
            family = f"W{name}-{turn}"
            body = patient(family, id="storm")
            headers = {"if-match": version}
            async with client.put("Patient/storm", json=body, headers=headers) as answer:
                if answer.status == 200:
                    number = int(answer.headers["etag"][3:-1])
                    assert number not in kept
                    kept[number] = family
                else:
                    refused[answer.status] += 1

    async with node.client() as client:
        async with client.put("Patient/storm", json=patient("Calm", id="storm")) as first:
            assert first.status == 201
        await asyncio.gather(*(writer(client, name) for name in range(12)))
        async with client.get("Patient/storm/_history?_count=1000") as answer:
            history = (await answer.json())["entry"]
    assert set(refused) <= {412, 503}
    assert refused[412] > 0
    written = {
        int(one["resource"]["meta"]["versionId"]): one["resource"]["name"][0]["family"]
        for one in history
    }
    assert written == kept | {1: "Calm"}


async def until(holds: Any) -> None:
    for _ in range(1000):
        if await asyncio.to_thread(holds):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


async def test_a_worker_killed_in_a_large_transaction_leaves_no_trace_of_it(node: Node) -> None:
    entries = [
        {"resource": patient("Killed", id=f"killed-{n}"),
         "request": {"method": "PUT", "url": f"Patient/killed-{n}"}}
        for n in range(4000)
    ]  # fmt: skip
    before = node.workers

    async def send(client: aiohttp.ClientSession) -> int:
        async with client.post("", json=bundle_of("transaction", entries)) as answer:
            await answer.read()
            return answer.status

    with (
        Cluster(node.server.place.home) as cluster,
        psycopg.connect(cluster.url, autocommit=True) as beside,
    ):

        def is_writing() -> bool:
            row = beside.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL"
                " AND query LIKE 'WITH incoming AS MATERIALIZED%' AND pid <> pg_backend_pid()"
            ).fetchone()
            return bool(row and row[0])

        async with node.client() as client:
            sent = asyncio.create_task(send(client))
            await until(is_writing)
            for worker in before:
                os.kill(worker, signal.SIGKILL)
            with pytest.raises(aiohttp.ClientError):
                await sent
        eventually(lambda: len(node.workers - before) == 2, node.server)
        await until(lambda: not is_writing())
        for table in ("fhir_resource", "fhir_version", "fhir_string"):
            left = beside.execute(f"SELECT count(*) FROM {table} WHERE id LIKE 'killed-%'")  # noqa: S608
            assert left.fetchone() == (0,)
        told = "SELECT count(*) FROM audit_event WHERE resource LIKE 'Patient/killed-%'"
        assert beside.execute(told).fetchone() == (0,)
    eventually(lambda: node.server.get("/readyz") == 200, node.server)
    async with node.client() as client:
        async with client.post("", json=bundle_of("transaction", entries[:50])) as answer:
            assert answer.status == 200
        assert await counted(client, "family=Killed") == 50


@contextmanager
def watching_health(port: int) -> Iterator[list[tuple[int, float]]]:
    """Asks /healthz all the time; each status and how long it took."""
    answers: list[tuple[int, float]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", port), 10) as probe:
                probe.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                answered = probe.recv(1024)
            answers.append((int(answered.split()[1]), time.monotonic() - began))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield answers
    finally:
        done.set()
        watcher.join()


async def test_200_clients_on_a_small_pool_get_an_answer_or_an_honest_503(node: Node) -> None:
    async def ask(client: aiohttp.ClientSession, number: int) -> int:
        made = 0
        for _ in range(4):
            body = bundle_of("transaction", [
                {"resource": numbered("Crowd", f"urn:crowd:{number}:{n}"),
                 "request": {"method": "POST", "url": "Patient"}} for n in range(5)
            ])  # fmt: skip
            async with client.post("", json=body) as answer:
                content = await answer.json(content_type=None)
                statuses[answer.status] += 1
                if answer.status == 503:
                    assert int(answer.headers["retry-after"]) > 0
                    assert content["resourceType"] == "OperationOutcome"
                else:
                    assert answer.status == 200, content
                    made += 5
        return made

    statuses = Counter[int]()
    with watching_health(node.server.place.port) as health:
        async with node.client() as client:
            crowd = (ask(client, number) for number in range(200))
            made = await asyncio.wait_for(asyncio.gather(*crowd), 60)
    async with node.client() as client:
        assert await counted(client, "family=Crowd") == sum(made)
    assert statuses.total() == 800
    assert statuses[200] > 0
    assert {status for status, _ in health} == {200}
    assert max(took for _, took in health) < 1.0
    assert node.server.get("/readyz") == 200


def peak_memory(pid: int) -> int:
    """Bytes that the process ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


async def test_a_body_that_goes_on_for_100_megabytes_is_413_in_bounded_memory(node: Node) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"resourceType":"Binary","data":"'
        for _ in range(100):
            yield b"A" * MEGABYTE

    before = {pid: peak_memory(pid) for pid in node.workers}
    async with node.client() as client, client.post("Binary", data=endless()) as answer:
        assert answer.status == 413
        assert (await answer.json(content_type=None))["resourceType"] == "OperationOutcome"
    grown = [peak_memory(pid) - held for pid, held in before.items()]
    assert max(grown) < 90 * MEGABYTE
    assert node.server.get("/readyz") == 200
