"""`kill -9` of the process that delivers, or of a web worker with sockets, loses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.fhir.resources import observation
from tests.fhir.subscriptions.conftest import (
    HOST,
    Data,
    Node,
    Receiver,
    created,
    ids,
    subscription,
)
from tests.fhir.subscriptions.workers import Worker, hear_bundle, of_topic, secret_of, stated
from websockets.exceptions import ConnectionClosed

LETTERS = 150
JOBS = """import asyncio
from serai.platform.settings import Settings
from serai.serving.jobs import run
asyncio.run(run(Settings(), lambda: None))"""

WEB = """import socket, sys
from serai.platform.settings import Settings
from serai.serving.web import serve
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
serve(Settings(), [listening], lambda: None)"""


@contextmanager
def jobs(url: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "SERAI_HOME": str(home),
        "SERAI_DATABASE_URL": url,
        "SERAI_SUBSCRIPTION_HOSTS": HOST,
    }
    process = subprocess.Popen([sys.executable, "-c", JOBS], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_killed_in_the_middle_every_event_still_arrives_in_order(
    node: Node, receiver: Receiver, tmp_path: Path
) -> None:
    client = node.client(await node.machine())
    await created(client, subscription("Observation", receiver.url))
    made = [await created(client, observation()) for _ in range(LETTERS)]
    with jobs(node.url, tmp_path) as process:
        await receiver.until(10, seconds=40)
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = len(receiver.heard)
    assert before < LETTERS, "it finished before it could be killed"
    with jobs(node.url, tmp_path):
        await receiver.until_true(lambda: set(ids(receiver.heard)) == set(made), seconds=60)
    told = ids(receiver.heard)
    assert list(dict.fromkeys(told)) == made
    assert len(told) - len(made) <= 1


@contextmanager
def web_worker(url: str, home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"SERAI_HOME": str(home), "SERAI_DATABASE_URL": url}
    process = subprocess.Popen([sys.executable, "-c", WEB, str(port)], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_the_worker_that_holds_a_websocket_is_killed_and_its_client_misses_nothing(
    node: Node, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    one, secret = Worker(f"{HOST}:{port}"), await secret_of(node)
    client = node.client(await node.machine())
    id = await created(client, of_topic("any-Observation"))
    answer = await client.post(f"Subscription/{id}/$get-ws-binding-token")
    said = f"bind-with-token {answer.json()['parameter'][0]['valueString']}"
    known: dict[int, str] = {}
    heard = asyncio.Event()

    async def listen(until: int) -> None:
        """Bind, ask for what the handshake says was missed, then hear."""
        async with one.socket() as listening:
            await listening.send(said)
            last = int(stated(await hear_bundle(listening))["events-since-subscription-start"])
            if known and last > max(known):
                since = {"eventsSinceNumber": max(known) + 1, "eventsUntilNumber": last}
                missed = await client.get(f"Subscription/{id}/$events", params=since)
                note(stated(missed.json()))
            while len(known) < until:
                note(stated(await hear_bundle(listening, 40)))

    def note(status: Data) -> None:
        for event in status["events"]:
            known[int(event["event-number"])] = event["focus"]["reference"].rpartition("/")[2]
            heard.set()

    async with node.delivering():
        with web_worker(node.url, tmp_path, port) as process:
            await answering(one, secret)
            hearing = asyncio.create_task(listen(LETTERS))
            made = [await created(client, observation()) for _ in range(20)]
            await asyncio.wait_for(heard.wait(), 40)
            process.send_signal(signal.SIGKILL)
            process.wait()
            with pytest.raises(ConnectionClosed):
                await hearing
        made += [await created(client, observation()) for _ in range(10)]
        with web_worker(node.url, tmp_path, port):
            await answering(one, secret)
            hearing = asyncio.create_task(listen(40))
            made += [await created(client, observation()) for _ in range(10)]
            await hearing
    assert [known[number] for number in sorted(known)] == made
    assert sorted(known) == list(range(1, 41))


async def answering(one: Worker, secret: str) -> None:
    async with asyncio.timeout(60), one.http(secret) as client:
        while True:
            try:
                if (await client.get("metadata")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
