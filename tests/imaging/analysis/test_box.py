"""Whatever an analyser does, the server goes on, the job is not lost, and the reason is told."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.imaging.analysis.conftest import LIMITS, House, planted
from tests.imaging.analysis.phantoms import data_sets, files, water

from serai.imaging.analysis import running
from serai.imaging.analysis.box import Limits
from serai.imaging.analysis.running import BOXES
from serai.platform.running import Paused


@pytest.mark.parametrize(
    ("name", "why", "tries"),
    [
        ("crashing", "analysis.crashed", 3),
        ("breaking", "analysis.broke", 1),
        ("hoarding", "analysis.too-much-memory", 1),
        ("filling_the_disk", "analysis.broke", 1),
    ],
)
async def test_an_analyser_that_fails_is_tried_a_few_times_and_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str, why: str, tries: int
) -> None:
    assert running.TRIES == 3
    monkeypatch.setattr(running, "TRIES", tries)
    house.analysers = [planted(name), planted("counting")]
    house.limits = replace(LIMITS, written=8 << 20)
    analyses = {each.analyser: each for each in await house.analyse(*files(data_sets(water())))}
    failed = analyses[name.replace("_", "-")]
    assert (failed.state, failed.why, failed.tries) == ("failed", why, tries)
    assert analyses["counting"].state == "done"
    assert list((house.home / BOXES).iterdir()) == []
    # No word of the patient in what is kept of the failure.
    assert "Wei" not in str(failed.details)


@pytest.mark.parametrize(
    ("name", "limits", "why"),
    [
        ("endless", replace(LIMITS, cpu_s=1), "analysis.too-much-cpu"),
        ("sleeping", replace(LIMITS, wall_s=1.5), "analysis.too-slow"),
    ],
)
async def test_one_that_never_ends_is_ended(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str, limits: Limits, why: str
) -> None:
    monkeypatch.setattr("serai.imaging.analysis.running.TRIES", 1)
    house.analysers, house.limits = [planted(name)], limits
    (failed,) = await house.analyse(*files(data_sets(water())))
    assert (failed.state, failed.why) == ("failed", why)


async def test_one_that_fails_now_and_then_succeeds_in_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = (
        replace(planted("crashing"), name="moody"),
        replace(planted("counting"), name="moody"),
    )
    house.analysers = [good]
    moods = iter([[bad], [bad], [good]])
    monkeypatch.setattr(house, "registered", lambda: next(moods))
    (analysis,) = await house.analyse(*files(data_sets(water())))
    assert (analysis.state, analysis.tries) == ("done", 3)


async def test_the_box_sees_no_files_of_the_server(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serai.imaging.analysis.running.TRIES", 1)
    images = files(data_sets(water()))
    blob = house.archive.blobs.local(await house.archive.blobs.put(images[0]))
    house.analysers = [
        planted("reading_elsewhere", path=str(blob)),
        planted("writing_elsewhere", path=str(house.home / "left")),
        planted("counting"),
    ]
    analyses = {each.analyser: each for each in await house.analyse(*images)}
    if "files" not in analyses["counting"].isolation:
        pytest.skip("this kernel has no Landlock, and the analysis says so")
    for name in ("reading-elsewhere", "writing-elsewhere"):
        assert analyses[name].details == {"error": "builtins.PermissionError"}
    assert not (house.home / "left").exists()


async def test_the_box_has_no_network_and_none_of_our_settings(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERAI_DATABASE_URL", "postgresql://secret")
    monkeypatch.setattr("serai.imaging.analysis.running.TRIES", 1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        house.analysers = [planted("calling_home", port=port), planted("looking_round")]
        analyses = {each.analyser: each for each in await house.analyse(*files(data_sets(water())))}
    assert analyses["looking-round"].state == "done"
    if "network" not in analyses["looking-round"].isolation:
        pytest.skip("this kernel grants no network namespace, and the analysis says so")
    called = analyses["calling-home"]
    assert (called.state, called.details["error"]) == ("failed", "builtins.OSError")


async def test_its_descendants_end_with_it(house: House) -> None:
    mark = uuid4().hex
    house.analysers = [planted("leaving_a_child", mark=mark)]
    (analysis,) = await house.analyse(*files(data_sets(water())))
    assert analysis.state == "done"
    if "processes" not in analysis.isolation:
        pytest.skip("this kernel grants no process namespace, and the analysis says so")
    assert running_with(mark) == []


def running_with(mark: str) -> list[str]:
    """Command lines of processes that name it."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = each.read_text()
        except OSError:
            continue
        if mark in command:
            found.append(command)
    return found


async def test_a_server_that_stops_puts_the_analysis_back(house: House) -> None:
    house.analysers = [planted("sleeping")]
    await house.arrive(*files(data_sets(water())))
    await house.judge()
    working = asyncio.create_task(house.work())
    began = time.monotonic()
    while not await house.rows("SELECT FROM imaging_analysis WHERE state = 'running'"):
        await asyncio.sleep(0.05)
        assert time.monotonic() - began < 10
    house.stop.set()
    with pytest.raises(Paused):
        await working
    (analysis,) = await house.analyses()
    assert (analysis.state, analysis.tries) == ("queued", 0)
    house.stop.clear()
    async with house.db.transaction() as tx:
        await tx.execute("UPDATE fhir_job SET status = 'waiting'")
    house.analysers = [replace(planted("counting"), name="sleeping", title="sleeping")]
    await house.work()
    (analysis,) = await house.analyses()
    assert analysis.state == "done"
