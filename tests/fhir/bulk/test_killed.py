"""`kill -9` of the process that does the work: it is taken up where it was."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from tests.fhir.bulk.conftest import ASYNC, Node, until_over
from tests.fhir.bulk.shelves import File, opened
from tests.fhir.bulk.test_export import patient
from tests.fhir.bulk.test_import import lines
from tests.fhir.bulk.test_import_from import allow, manifest, there

pytestmark = pytest.mark.timeout(150)

RESOURCES = 24_000
JOBS = """import asyncio
from serai.platform.settings import Settings
from serai.serving.jobs import run
asyncio.run(run(Settings(), lambda: None))"""

FILL = """INSERT INTO fhir_resource (type, id, version, last_updated, method, content)
    SELECT 'Basic', 'b' || n, 1, now(), 'PUT',
           convert_to(format('{"resourceType":"Basic","id":"b%%s","code":{"text":"t"}}', n), 'UTF8')
    FROM generate_series(1, %s) AS n"""


@contextmanager
def working(node: Node) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "SERAI_HOME": str(node.settings.home),
        "SERAI_DATABASE_URL": node.url,
        "SERAI_IMPORT_PRIVATE_HOSTS": node.settings.import_private_hosts,
    }
    process = subprocess.Popen([sys.executable, "-c", JOBS], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def killed_at(node: Node, done: int) -> int:
    """How much was done when the process was killed."""
    with working(node) as process, psycopg.connect(node.url, autocommit=True) as connection:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            row = connection.execute("SELECT status, done FROM fhir_job").fetchone()
            assert row is not None
            if row[1] >= done:
                process.send_signal(signal.SIGKILL)
                assert row[0] == "running", "it finished before it could be killed"
                return int(row[1])
            await asyncio.sleep(0.002)
    raise AssertionError("nothing was done")


async def filled(node: Node) -> None:
    async with node.db.transaction() as tx:
        await tx.execute(FILL, (RESOURCES,))


async def over(node: Node, client: httpx.AsyncClient, address: str) -> httpx.Response:
    with working(node):
        return await until_over(client, address)


async def test_a_killed_export_goes_on_and_holds_every_resource_once(node: Node) -> None:
    await filled(node)
    async with node.client() as client:
        kicked = await client.get("$export?_type=Basic", headers=ASYNC)
        killed = await killed_at(node, 10_000)
        answer = await over(node, client, kicked.headers["content-location"])
        lines = [
            line
            for file in answer.json()["output"]
            for line in (await client.get(file["url"])).content.splitlines()
        ]
    assert killed < RESOURCES
    assert (len(lines), len(set(lines))) == (RESOURCES, RESOURCES)


async def test_a_killed_re_index_goes_on_where_it_was(node: Node) -> None:
    await filled(node)
    async with node.client() as client:
        kicked = await client.post("$reindex")
        killed = await killed_at(node, 1_000)
        address = kicked.headers["content-location"]
        with psycopg.connect(node.url) as connection:
            state = connection.execute("SELECT state ->> 'after', done FROM fhir_job").fetchone()
        answer = await over(node, client, address)
    assert state is not None
    assert state[1] >= killed
    assert answer.status_code == 200
    assert answer.json()["parameter"][0]["valueString"] == str(RESOURCES)
    async with node.db.connection() as connection_:
        rows = await connection_.execute("SELECT count(*) FROM fhir_resource WHERE keys = '{}'")
        assert await rows.fetchone() == (0,)


async def test_a_killed_import_goes_on_in_the_middle_of_the_file_it_was_fetching(
    node: Node,
) -> None:
    allow(node)
    content = lines(patient("zhang")) + b" " * (40 << 20) + b"\n" + lines(patient("wang"))
    async with opened() as shelf, node.client() as client:
        shelf.files = {"first": File(lines(patient("li"))), "p": File(content, stalls=35 << 20)}
        wanted = manifest(*[("Patient", shelf.url(name)) for name in shelf.files])
        kicked = await client.post("$import", json=wanted, headers=ASYNC)
        with working(node) as process:
            arrived = await arriving(node)
            process.send_signal(signal.SIGKILL)
            process.wait()
        shelf.go.set()
        answer = await over(node, client, kicked.headers["content-location"])
        assert shelf.heard == [("first", None), ("p", None), ("p", f"bytes={arrived}-")]
    assert answer.json()["extension"]["imported"] == 3
    assert await there(node, "Patient/li", "Patient/zhang", "Patient/wang") == [200] * 3
    assert list((node.settings.home / "blobs.unfinished").iterdir()) == []


async def arriving(node: Node) -> int:
    """How much is noted as arrived once most of it is."""
    since = time.monotonic()
    with psycopg.connect(node.url, autocommit=True) as connection:
        while time.monotonic() - since < 60:
            row = connection.execute("SELECT state -> 'gathering' ->> 'size' FROM fhir_job")
            (found,) = row.fetchone() or (None,)
            if found is not None and int(found) >= 32 << 20:
                return int(found)
            await asyncio.sleep(0.05)
    raise AssertionError("nothing arrived")
