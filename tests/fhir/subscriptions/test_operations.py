"""$status, $events, $dead-letters and $replay of a Subscription."""

from __future__ import annotations

from typing import Any

import httpx
from tests.fhir.resources import observation
from tests.fhir.subscriptions.conftest import (
    Data,
    Node,
    Receiver,
    created,
    ids,
    status_becomes,
    subscription,
)

from serai.fhir.subscriptions.telling import Pace

IMPATIENT = Pace(first_pause_s=0.02, tries=2, look_every_s=0.2)


def values(parts: list[Data]) -> dict[str, Any]:
    return {
        part["name"]: next(value for key, value in part.items() if key != "name") for part in parts
    }


async def letters(client: httpx.AsyncClient, id: str) -> list[dict[str, Any]]:
    answer = await client.get(f"Subscription/{id}/$dead-letters")
    assert answer.status_code == 200, answer.text
    return [values(one["part"]) for one in answer.json().get("parameter", [])]


async def test_dead_letters_are_seen_and_replayed_before_what_is_newer(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    receiver.answers = [500] * 4
    async with node.delivering(IMPATIENT):
        id = await created(client, subscription("Observation", receiver.url))
        made = [await created(client, observation()) for _ in range(3)]
        assert ids(await receiver.until(1)) == made[2:]
        await status_becomes(client, id, "active")
    dead = await letters(client, id)
    assert [(one["event-number"], one["tries"], one["reason"]) for one in dead] == [
        ("1", 2, "HTTP 500"),
        ("2", 2, "HTTP 500"),
    ]
    assert dead[0]["focus"]["reference"].endswith(f"/Observation/{made[0]}")
    newer = await created(client, observation())
    answer = await client.post(f"Subscription/{id}/$replay")
    assert answer.json()["parameter"] == [{"name": "count", "valueInteger": 2}]
    assert await letters(client, id) == []
    async with node.delivering(IMPATIENT):
        assert ids(await receiver.until(4)) == [made[2], made[0], made[1], newer]


async def test_a_single_letter_can_be_replayed(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    receiver.answers = [500] * 4
    async with node.delivering(IMPATIENT):
        id = await created(client, subscription("Observation", receiver.url))
        made = [await created(client, observation()) for _ in range(3)]
        await receiver.until(1)
        answer = await client.post(f"Subscription/{id}/$replay?event=2")
        assert answer.status_code == 200
        assert ids(await receiver.until(2)) == [made[2], made[1]]
    assert [one["event-number"] for one in await letters(client, id)] == ["1"]


async def test_who_may_not_see_a_subscription_sees_and_replays_nothing(
    node: Node, receiver: Receiver
) -> None:
    county = node.client(await node.machine("county"))
    city = node.client(await node.machine("city"))
    reader = node.client(await node.machine("county", "system/Subscription.rs"))
    id = await created(county, subscription("Observation", receiver.url))
    for name in ("$status", "$events", "$dead-letters"):
        assert (await city.get(f"Subscription/{id}/{name}")).status_code == 404
    assert (await city.post(f"Subscription/{id}/$replay")).status_code == 404
    assert (await reader.post(f"Subscription/{id}/$replay")).status_code == 403
    assert (await city.get("Subscription/$status")).json()["total"] == 0
    assert (await county.get("Subscription/$status")).json()["total"] == 1


async def test_status_tells_how_a_subscription_stands(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        id = await created(client, subscription("Observation", receiver.url))
        await status_becomes(client, id, "active")
        await created(client, observation())
        await receiver.until(1)
    (entry,) = (await client.get(f"Subscription/{id}/$status")).json()["entry"]
    found = values(entry["resource"]["parameter"])
    assert (found["status"], found["type"]) == ("active", "query-status")
    assert found["events-since-subscription-start"] == "1"
    answer = await client.get(f"Subscription/$status?id={id}&status=off")
    assert answer.json()["total"] == 0


async def test_events_can_be_fetched_again_by_number(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        id = await created(client, subscription("Observation", receiver.url))
        made = [await created(client, observation()) for _ in range(4)]
        await receiver.until(4)
    answer = await client.get(
        f"Subscription/{id}/$events",
        params={"eventsSinceNumber": 2, "eventsUntilNumber": 3, "content": "full-resource"},
    )
    status, *events = answer.json()["entry"]
    assert [one["resource"]["id"] for one in events] == made[1:3]
    assert [
        one["part"][0]["valueString"]
        for one in status["resource"]["parameter"]
        if one["name"] == "notification-event"
    ] == ["2", "3"]
    assert (await client.get(f"Subscription/{id}/$events?content=all")).status_code == 400
