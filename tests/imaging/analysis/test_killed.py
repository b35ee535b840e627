"""The process of jobs as the server starts it, killed in the middle of an analysis."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.imaging.analysis.conftest import House
from tests.imaging.analysis.phantoms import data_sets, files, water

from serai.imaging.analysis.running import BOXES
from serai.kernel.clock import utc_now

pytestmark = pytest.mark.timeout(150)

# The queue takes a silent worker for dead sooner than it would, and one analyser is planted.
JOBS = """
import asyncio, sys
from dataclasses import replace
from tests.imaging.analysis.conftest import planted
from serai.imaging.analysis import registry, watching
from serai.platform import queue
from serai.platform.settings import Settings
from serai.serving.jobs import run
queue.HEARTBEAT_S, queue.SILENT_AFTER_S, watching.EVERY_S = 0.3, 1.5, 0.3
moody = replace(planted(sys.argv[1]), name="moody")
registry.OWN = (*registry.OWN, moody)
asyncio.run(run(Settings(), lambda: None))
"""


@contextmanager
def working(house: House, database_url: str, mood: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "SERAI_HOME": str(house.home),
        "SERAI_DATABASE_URL": database_url,
        "PYTHONPATH": os.pathsep.join(each for each in sys.path if each),
    }
    process = subprocess.Popen([sys.executable, "-c", JOBS, mood], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def seen(house: House, statement: str) -> None:
    for _ in range(1200):
        if await house.rows(statement):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(statement)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1200):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError


async def test_an_analysis_cut_off_by_kill_9_is_taken_up_again(
    house: House, database_url: str
) -> None:
    images = data_sets(water(4), NumberOfSeriesRelatedInstances=4)
    await house.arrive(*files(images), at=utc_now())
    with working(house, database_url, "sleeping") as process:
        moody = "SELECT FROM imaging_analysis WHERE analyser = 'moody' AND state = 'running'"
        await seen(house, moody)
        await until(lambda: bool(boxes_of(house.home)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = list((house.home / BOXES).iterdir())
    assert len(left) == 1
    # The box died with the process that had started it.
    await until(lambda: not boxes_of(house.home))
    with working(house, database_url, "counting"):
        await seen(house, "SELECT FROM imaging_analysis WHERE state = 'done' AND tries = 2")
        await seen(house, "SELECT FROM imaging_analysis WHERE analyser = 'series-quality'"
                          " AND state = 'done'")  # fmt: skip
    assert {each["code"]["coding"][0]["code"] for each in await house.found("Observation")} == {
        "moody",
    }
    assert not left[0].exists()


def boxes_of(home: Path) -> list[str]:
    """Processes that still work in a box under `home`."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cwd"):
        try:
            place = str(each.readlink())
        except OSError:
            continue
        if place.startswith(str(home / BOXES)):
            found.append(place)
    return found
