"""Subscriptions R5 Backport 1.1.0 on R4: topics, notifications, operations, websockets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.fhir.resources import observation
from tests.fhir.subscriptions.conftest import (
    Data,
    Node,
    created,
    node,
    receiver,
    receivers,
    status_becomes,
    store,
)
from tests.fhir.subscriptions.workers import (
    PAYLOAD,
    hear_bundle,
    of_topic,
    secret_of,
    stated,
    until,
    worker,
)
from websockets.exceptions import ConnectionClosed

from serai.fhir.subscriptions.feeding import Feed, Standing
from serai.kernel.clock import utc_now

__all__ = ["node", "receiver", "receivers", "store"]

TOPIC = "any-Observation"


def parts(answer: Data) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in answer["parameter"]:
        value = next(v for k, v in one.items() if k.startswith("value"))
        found.setdefault(one["name"], []).append(value)
    return found


@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
async def test_payload_types(node: Node, content: str) -> None:
    secret = await secret_of(node)
    async with (
        node.delivering(),
        worker(node) as one,
        one.http(secret) as client,
        one.socket(secret) as socket,
    ):
        id = await created(client, of_topic(TOPIC, content))
        await socket.send(f"bind {id}")
        handshake = await hear_bundle(socket)
        made = await created(client, observation())
        told = await hear_bundle(socket)
    assert stated(handshake)["type"] == "handshake"
    status, *entries = told["entry"]
    assert (told["resourceType"], told["type"]) == ("Bundle", "history")
    assert told["meta"]["profile"] == [PAYLOAD + "subscription-notification-r4"]
    assert status["resource"]["meta"]["profile"] == [PAYLOAD + "subscription-status-r4"]
    assert status["request"]["url"].endswith(f"Subscription/{id}/$status")
    said = stated(told)
    assert said["topic"].endswith(TOPIC)
    assert said["type"] == "event-notification"
    assert said["events-since-subscription-start"] == "1"
    (event,) = said["events"]
    assert event["event-number"] == "1"
    assert ("focus" in event) == (content != "empty")
    assert len(entries) == (0 if content == "empty" else 1)
    for entry in entries:
        assert entry["fullUrl"].endswith(f"/Observation/{made}")
        assert ("resource" in entry) == (content == "full-resource")
        assert entry["request"]["method"] == "POST"


async def test_get_ws_binding_token_binds_several_subscriptions(node: Node) -> None:
    secret = await secret_of(node)
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        made = sorted([await created(client, of_topic(TOPIC)) for _ in range(2)])
        answer = await client.post("Subscription/$get-ws-binding-token")
        assert answer.status_code == 200, answer.text
        found = parts(answer.json())
        assert found["subscription"] == made
        assert datetime.fromisoformat(found["expiration"][0]) > utc_now()
        assert found["websocket-url"] == [f"ws://{one.address}/fhir/websocket"]
        # Whoever has the token needs nothing else.
        async with one.socket() as socket:
            await socket.send(f"bind-with-token {found['token'][0]}")
            bound = [stated(await hear_bundle(socket)) for _ in made]
    assert [one["type"] for one in bound] == ["handshake"] * 2
    assert [one["subscription"]["reference"].rpartition("/")[2] for one in bound] == made


async def test_get_ws_binding_token_of_one_subscription_only_when_it_has_a_websocket(
    node: Node,
) -> None:
    client = node.client(await node.machine())
    id = await created(client, of_topic(TOPIC))
    answer = await client.post(f"Subscription/{id}/$get-ws-binding-token")
    found = parts(answer.json())
    assert found["subscription"] == [id]
    hook = of_topic(TOPIC)
    hook["channel"] |= {"type": "rest-hook", "endpoint": "https://example.org/"}
    other = await created(client, hook)
    answer = await client.post(f"Subscription/{other}/$get-ws-binding-token")
    assert answer.status_code == 422


async def test_an_expired_binding_ends_the_socket(node: Node) -> None:
    secret = await secret_of(node)
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        id = await created(client, of_topic(TOPIC))
        answer = await client.post(f"Subscription/{id}/$get-ws-binding-token")
        token = parts(answer.json())["token"][0]
        async with node.db.transaction() as tx:
            await tx.execute(
                "UPDATE subscription_binding SET expires_at = %s",
                (utc_now() + timedelta(seconds=1),),
            )
        async with one.socket() as socket:
            await socket.send(f"bind-with-token {token}")
            await hear_bundle(socket)
            with pytest.raises(ConnectionClosed) as closed:
                await hear_bundle(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.reason == "subscription.binding-expired"
        async with one.socket() as socket:
            await socket.send(f"bind-with-token {token}")
            assert (await hear_bundle(socket))["resourceType"] == "OperationOutcome"


async def test_the_handshake_tells_what_was_missed_and_events_brings_it(node: Node) -> None:
    secret = await secret_of(node)
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        id = await created(client, of_topic(TOPIC))
        made = [await created(client, observation()) for _ in range(3)]

        async def matched() -> bool:
            answer = (await client.get(f"Subscription/{id}/$status")).json()
            return bool(stated(answer)["events-since-subscription-start"] == "3")

        await until(matched)
        async with one.socket(secret) as socket:
            await socket.send(f"bind {id}")
            assert stated(await hear_bundle(socket))["events-since-subscription-start"] == "3"
        answer = await client.get(
            f"Subscription/{id}/$events", params={"eventsSinceNumber": 2, "content": "id-only"}
        )
    said = stated(answer.json())
    assert said["type"] == "query-event"
    assert [event["event-number"] for event in said["events"]] == ["2", "3"]
    assert [one["focus"]["reference"].rpartition("/")[2] for one in said["events"]] == made[1:]


async def test_status_describes_a_subscription_over_a_websocket(node: Node) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        id = await created(client, of_topic(TOPIC))
        await status_becomes(client, id, "active")
    answer = (await client.get(f"Subscription/{id}/$status")).json()
    assert (answer["resourceType"], answer["type"]) == ("Bundle", "searchset")
    said = stated(answer)
    assert (said["status"], said["type"]) == ("active", "query-status")


async def test_a_heartbeat_comes_when_nothing_happens(node: Node) -> None:
    beat = {"url": PAYLOAD + "heartbeat-period", "valueUnsignedInt": 60}
    actor = await node.machine()
    id = await created(node.client(actor), of_topic(TOPIC, "id-only", beat))
    feed, now = Feed(id, actor.id, actor.kind, None), utc_now()
    async with node.db.connection() as connection:
        at = await feed.standing(connection, node.store, now)
        assert isinstance(at, Standing)
        feed.begin(at, node.store, now)
        assert feed.due() == now + timedelta(seconds=60)
        early, late = now + timedelta(seconds=59), now + timedelta(seconds=60)
        assert await feed.next(connection, node.store, at, early) is None
        message = await feed.next(connection, node.store, at, late)
        assert message is not None
        assert '"heartbeat"' in message.frames[0]
        assert await feed.next(connection, node.store, at, late) is None
