"""Large bodies wait for room, each in its turn."""

from __future__ import annotations

import asyncio

from serai.fhir.http.bodies import Room


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
