"""`kill -9` of the process that delivers loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fhir.resources import observation
from tests.fhir.subscriptions.conftest import HOST, Node, Receiver, created, ids, subscription

LETTERS = 150
JOBS = """import asyncio
from serai.platform.settings import Settings
from serai.serving.jobs import run
asyncio.run(run(Settings(), lambda: None))"""


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
