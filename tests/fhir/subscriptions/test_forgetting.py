"""Dead letters are kept for a time, then deleted."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.fhir.subscriptions.conftest import Node, created, subscription
from tests.fhir.subscriptions.workers import until

from serai.fhir.subscriptions.forgetting import forget, forget_until
from serai.kernel.clock import utc_now

# Number, state, days since it happened, days since it was given up.
LETTERS = (
    (1, "dead", 100, 99),
    (2, "dead", 100, 10),
    (3, "dead", 100, None),
    (4, "dead", 10, None),
    (5, "pending", 100, None),
    (6, "dead", 100, 91),
)
ADD = """INSERT INTO subscription_delivery
        (subscription, number, type, id, version, deleted, at, state, settled_at)
    VALUES (%s, %s, 'Observation', 'one', 1, false, now() - %s::interval, %s,
            now() - %s::interval)"""


async def with_letters(node: Node) -> str:
    client = node.client(await node.machine())
    id = await created(client, subscription("Observation", "http://127.0.0.1:1/hook"))
    async with node.db.transaction() as tx:
        for number, state, happened, settled in LETTERS:
            given_up = timedelta(days=settled) if settled is not None else None
            await tx.execute(ADD, (id, number, timedelta(days=happened), state, given_up))
    return id


async def left(node: Node) -> list[int]:
    async with node.db.connection() as connection:
        rows = await connection.execute("SELECT number FROM subscription_delivery ORDER BY number")
        return [number for (number,) in await rows.fetchall()]


async def test_only_letters_dead_for_longer_than_they_are_kept_are_deleted(node: Node) -> None:
    await with_letters(node)
    assert await forget(node.db, timedelta(days=90), utc_now()) == 3
    assert await left(node) == [2, 4, 5]
    assert await forget(node.db, timedelta(days=90), utc_now()) == 0


async def test_many_letters_go_in_several_steps(node: Node) -> None:
    id = await with_letters(node)
    async with node.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO subscription_delivery"
            " (subscription, number, type, id, version, deleted, at, state)"
            " SELECT %s, n, 'Observation', 'one', 1, false, now() - interval '1 year', 'dead'"
            " FROM generate_series(10, 2509) n",
            (id,),
        )
    assert await forget(node.db, timedelta(days=90), utc_now()) == 2503
    assert await left(node) == [2, 4, 5]


async def test_the_chore_deletes_at_once_and_ends_when_the_server_stops(node: Node) -> None:
    await with_letters(node)
    stop = asyncio.Event()
    chore = asyncio.create_task(forget_until(20, node.db, node.store, stop))

    async def done() -> bool:
        return await left(node) == [2, 4, 5]

    await until(done)
    stop.set()
    await asyncio.wait_for(chore, 5)
