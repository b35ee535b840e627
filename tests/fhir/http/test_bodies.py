"""Large bodies wait for room, each in its turn."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from tests.fhir.resources import patient

from serai.fhir.http import bodies
from serai.fhir.http.bodies import LARGE, Room


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_bodies_enter_in_the_order_they_came_while_there_is_room() -> None:
    room, inside = Room(most=10), list[str]()

    async def enter(name: str, size: int) -> None:
        await room.enter(size)
        inside.append(name)

    waiting = [asyncio.create_task(enter(*one)) for one in (("a", 6), ("b", 5), ("c", 1))]
    await settled()
    assert inside == ["a"], "c is small enough but came after b"
    room.leave(6)
    await settled()
    assert inside == ["a", "b", "c"]
    await asyncio.gather(*waiting)


async def test_a_body_larger_than_the_room_has_it_alone() -> None:
    room = Room(most=10)
    await room.enter(50)
    second = asyncio.create_task(room.enter(1))
    await settled()
    assert not second.done()
    room.leave(50)
    await second


async def test_whoever_gives_up_waiting_makes_way() -> None:
    room = Room(most=10)
    await room.enter(10)
    impatient, patient = asyncio.create_task(room.enter(9)), asyncio.create_task(room.enter(8))
    await settled()
    impatient.cancel()
    room.leave(10)
    await patient
    assert room.taken == 8


async def test_a_large_body_that_the_disk_has_no_room_for_is_refused_and_can_be_sent_again(
    fhir: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_full_disk(**_: Any) -> IO[bytes]:
        return Path("/dev/full").open("r+b")

    large = patient("x" * LARGE)
    with monkeypatch.context() as full:
        full.setattr(bodies, "TemporaryFile", on_a_full_disk)
        refused = await fhir.post("Patient", json=large)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    coding = refused.json()["issue"][0]["details"]["coding"][0]
    assert coding["code"] == "storage.unwritable"
    assert (await fhir.post("Patient", json=large)).status_code == 201
