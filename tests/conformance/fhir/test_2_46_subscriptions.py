"""R4 §2.46 Subscription: its life, criteria and channels (http://hl7.org/fhir/R4/subscription.html)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.fhir.resources import observation
from tests.fhir.subscriptions.conftest import (
    Node,
    Receiver,
    created,
    ids,
    node,
    receiver,
    receivers,
    status_becomes,
    store,
    subscription,
)
from tests.fhir.subscriptions.workers import hear, over_websocket, secret_of, worker

from serai.fhir.subscriptions.telling import Pace
from serai.kernel.clock import instant, utc_now

__all__ = ["node", "receiver", "receivers", "store"]

IMPATIENT = Pace(first_pause_s=0.02, longest_pause_s=0.1, tries=2, look_every_s=0.2)

# Criteria are a search: each with a value that matches and one that does not.
CRITERIA: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Observation", {}, {"resourceType": "Basic", "code": {"text": "x"}}),
    ("Observation?status=final", {"status": "final"}, {"status": "preliminary"}),
    ("Observation?code=http://loinc.org|8867-4", {"code": "8867-4"}, {"code": "2708-6"}),
    ("Observation?status=final,amended", {"status": "amended"}, {"status": "registered"}),
    ("Observation?status:not=final", {"status": "amended"}, {"status": "final"}),
    ("Observation?subject:missing=true", {}, {"subject": {"reference": "Group/x"}}),
]


def resource(change: dict[str, Any]) -> dict[str, Any]:
    if "resourceType" in change:
        return change
    named = {name: change[name] for name in ("status", "code") if name in change}
    return observation(**named) | {k: v for k, v in change.items() if k not in named}


@pytest.mark.parametrize(("criteria", "inside", "outside"), CRITERIA)
async def test_2_46_criteria_are_a_search_on_what_changed(
    node: Node, receiver: Receiver, criteria: str, inside: Any, outside: Any
) -> None:
    client = node.client(await node.machine())
    await created(client, {"resourceType": "Group", "id": "x", "type": "person", "actual": True})
    async with node.delivering():
        await created(client, subscription(criteria, receiver.url))
        await created(client, resource(outside))
        made = await created(client, resource(inside))
        assert ids(await receiver.until(1)) == [made]


async def test_2_46_a_client_asks_and_the_server_activates(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    id = await created(client, subscription("Observation", receiver.url))
    assert (await client.get(f"Subscription/{id}")).json()["status"] == "requested"
    async with node.delivering():
        await status_becomes(client, id, "active")


async def test_2_46_rest_hook_sends_the_resource_with_the_channels_headers(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    lines = ["Authorization: Bearer secret", "X-County: 7"]
    async with node.delivering():
        await created(client, subscription("Observation", receiver.url, header=lines))
        made = await created(client, observation())
        (heard,) = await receiver.until(1)
    assert (heard.method, heard.path) == ("PUT", f"/hook/Observation/{made}")
    assert (heard.headers["authorization"], heard.headers["x-county"]) == ("Bearer secret", "7")


async def test_2_46_without_payload_the_request_is_empty(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    asked = subscription("Observation", receiver.url)
    del asked["channel"]["payload"]
    async with node.delivering():
        await created(client, asked)
        await created(client, observation())
        (heard,) = await receiver.until(1)
    assert (heard.method, heard.body) == ("POST", b"")


async def test_2_46_after_its_end_a_subscription_is_off(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    ends = {"end": instant(utc_now() + timedelta(seconds=1))}
    async with node.delivering():
        id = await created(client, subscription("Observation", receiver.url) | ends)
        await status_becomes(client, id, "off")
        await created(client, observation())
        await asyncio.sleep(0.4)
    assert receiver.heard == []


async def test_2_46_errors_are_told_on_the_resource_and_are_over_when_it_works_again(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    receiver.answers = [500, 500]
    async with node.delivering(IMPATIENT):
        id = await created(client, subscription("Observation", receiver.url))
        await status_becomes(client, id, "active")
        await created(client, observation())
        assert (await status_becomes(client, id, "error"))["error"] == "HTTP 500"
        await created(client, observation())
        assert "error" not in await status_becomes(client, id, "active")


@pytest.mark.parametrize("status", ["active", "error"])
async def test_2_46_only_the_server_says_active_or_error(node: Node, status: str) -> None:
    client = node.client(await node.machine())
    asked = subscription("Observation", "https://example.org/") | {"status": status}
    assert (await client.post("Subscription", json=asked)).status_code == 422


async def test_2_46_websocket_bind_bound_ping(node: Node) -> None:
    secret = await secret_of(node)
    async with (
        node.delivering(),
        worker(node) as one,
        one.http(secret) as client,
        one.socket(secret) as socket,
    ):
        id = await created(client, over_websocket("Observation?status=final"))
        await socket.send(f"bind {id}")
        assert await hear(socket) == f"bound {id}"
        for _ in range(2):
            await created(client, observation(status="final"))
        assert [await hear(socket), await hear(socket)] == [f"ping {id}"] * 2


@pytest.mark.parametrize(
    "channel",
    [
        {"endpoint": "wss://example.org/"},
        {"header": ["X: y"]},
        {"payload": "application/fhir+json"},
    ],
)
async def test_2_46_a_websocket_has_no_endpoint_header_or_payload(
    node: Node, channel: dict[str, Any]
) -> None:
    client = node.client(await node.machine())
    answer = await client.post("Subscription", json=over_websocket("Observation", channel=channel))
    assert answer.status_code == 422
    (issue,) = answer.json()["issue"]
    assert issue["expression"] == [f"Subscription.channel.{next(iter(channel))}"]


async def test_2_46_where_to_connect_is_in_the_capability_statement(node: Node) -> None:
    (rest,) = (await node.client(None).get("metadata")).json()["rest"]
    (found,) = rest["extension"]
    assert found["url"].endswith("/capabilitystatement-websocket")
    assert found["valueUri"] == "ws://serai.test/fhir/websocket"
