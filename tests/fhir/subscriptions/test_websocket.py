"""Websockets: who may bind, what arrives, in which order, and what a lost connection costs."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import psycopg
import pytest
from tests.fhir.resources import observation, patient
from tests.fhir.subscriptions.conftest import Node, created
from tests.fhir.subscriptions.workers import (
    hear,
    hear_bundle,
    of_topic,
    over_websocket,
    secret_of,
    stated,
    until,
    worker,
)
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from serai.fhir.http import socket as served
from serai.fhir.subscriptions import hub, queue
from serai.kernel.clock import utc_now
from serai.platform.auth.tokens import revoke_token

OBSERVATIONS = "any-Observation"


async def test_a_change_made_in_another_worker_is_told(node: Node) -> None:
    secret = await secret_of(node)
    async with (
        node.delivering(),
        worker(node) as one,
        worker(node) as other,
        other.http(secret) as client,
        one.socket(secret) as socket,
    ):
        id = await created(client, over_websocket("Observation?status=final"))
        await socket.send(f"bind {id}")
        assert await hear(socket) == f"bound {id}"
        await created(client, observation(status="preliminary"))
        await created(client, observation(status="final"))
        assert await hear(socket, 3) == f"ping {id}"
        with pytest.raises(TimeoutError):
            await hear(socket, 0.3)


async def test_what_happened_before_anybody_was_connected_is_told_first(node: Node) -> None:
    secret = await secret_of(node)
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        id = await created(client, of_topic(OBSERVATIONS))
        made = [await created(client, observation()) for _ in range(3)]
        await until(lambda: waits(node, id, 3))
        async with one.socket(secret) as socket:
            await socket.send(f"bind {id}")
            assert stated(await hear_bundle(socket))["type"] == "handshake"
            told = stated(await hear_bundle(socket))
            assert [event["focus"]["reference"].rpartition("/")[2] for event in told["events"]] == (
                made
            )
            later = await created(client, observation())
            told = stated(await hear_bundle(socket))
            assert [event["event-number"] for event in told["events"]] == ["4"]
            assert told["events"][0]["focus"]["reference"].endswith(later)
            await until(lambda: waits(node, id, 0))


async def test_every_client_that_is_bound_is_told(node: Node) -> None:
    secret = await secret_of(node)
    async with (
        node.delivering(),
        worker(node) as one,
        worker(node) as other,
        one.http(secret) as client,
        one.socket(secret) as a,
        other.socket(secret) as b,
    ):
        id = await created(client, of_topic(OBSERVATIONS))
        for socket in (a, b):
            await socket.send(f"bind {id}")
            await hear_bundle(socket)
        await created(client, observation())
        for socket in (a, b):
            (event,) = stated(await hear_bundle(socket))["events"]
            assert event["event-number"] == "1"


async def test_who_may_not_see_a_subscription_cannot_bind_it(node: Node) -> None:
    county, city = await secret_of(node, "county"), await secret_of(node, "city")
    async with node.delivering(), worker(node) as one:
        async with one.http(county) as client:
            id = await created(client, over_websocket("Observation"))
            token = (await client.post(f"Subscription/{id}/$get-ws-binding-token")).json()
        async with one.http(city) as client:
            answer = await client.post(f"Subscription/{id}/$get-ws-binding-token")
            assert answer.status_code == 404
            answer = await client.post(f"Subscription/$get-ws-binding-token?id={id}")
            assert answer.status_code == 422
        answers = []
        async with one.socket(city) as socket, one.socket() as nobody:
            for said in (f"bind {id}", "bind nothing", "bind-with-token x", "hello", "bind"):
                await socket.send(said)
                answers.append(json.loads(await hear(socket)))
            await nobody.send(f"bind {id}")
            answers.append(json.loads(await hear(nobody)))
        assert {one["issue"][0]["diagnostics"] for one in answers} == {
            answers[0]["issue"][0]["diagnostics"]
        }
        assert token["parameter"][0]["name"] == "token"


async def test_a_wrong_bearer_token_and_a_guesser_are_shown_out(node: Node) -> None:
    async with worker(node) as one:
        async with one.socket("wrong") as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await hear(socket)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
        async with one.socket() as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await guess(socket, 30)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008


async def test_whoever_binds_nothing_and_whoever_is_too_many_must_go(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "BIND_WITHIN", timedelta(seconds=0.5))
    monkeypatch.setattr(hub, "MOST_SOCKETS", 1)
    async with worker(node) as one:
        async with one.socket() as idle:
            with pytest.raises(InvalidStatus):
                await one.socket()
            with pytest.raises(ConnectionClosed):
                await hear(idle, 5)
        async with one.socket() as later:
            await later.send("bind-with-token x")
            assert json.loads(await hear(later))["resourceType"] == "OperationOutcome"


async def test_what_the_subscriber_may_not_read_is_not_told(node: Node) -> None:
    county, city = await secret_of(node, "county"), await secret_of(node, "city")
    async with (
        node.delivering(),
        worker(node) as one,
        one.http(county) as ours,
        one.http(city) as theirs,
        one.socket(county) as socket,
    ):
        id = await created(ours, of_topic("any-Patient", "full-resource"))
        await socket.send(f"bind {id}")
        await hear_bundle(socket)
        await created(theirs, patient("Wang"))
        mine = await created(ours, patient())
        told = await hear_bundle(socket)
        assert [entry["resource"]["id"] for entry in told["entry"][1:]] == [mine]
        assert stated(told)["events-since-subscription-start"] == "1"


async def test_a_revoked_token_ends_its_sockets(node: Node) -> None:
    secret, other = await secret_of(node), await secret_of(node)
    async with node.delivering(), worker(node) as one, one.http(other) as client:
        id = await created(client, of_topic(OBSERVATIONS))
        async with one.socket(secret) as socket:
            await socket.send(f"bind {id}")
            await hear_bundle(socket)
            async with node.db.transaction() as tx:
                await revoke_token(tx, secret, utc_now())
            await created(client, observation())
            with pytest.raises(ConnectionClosed) as closed:
                await hear(socket)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
            1008,
            "subscription.no-access",
        )
        await until(lambda: waits(node, id, 1))


async def test_a_holder_with_fewer_rights_costs_the_others_nothing(node: Node) -> None:
    secret, poor = await secret_of(node), await secret_of(node, None, "system/Subscription.rs")
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        id = await created(client, of_topic(OBSERVATIONS))
        async with one.socket(poor) as socket:
            await socket.send(f"bind {id}")
            await hear_bundle(socket)
            await created(client, observation())
            with pytest.raises(TimeoutError):
                await hear(socket, 0.7)
        async with one.socket(secret) as socket:
            await socket.send(f"bind {id}")
            assert stated(await hear_bundle(socket))["events-since-subscription-start"] == "1"
            assert len(stated(await hear_bundle(socket))["events"]) == 1


async def test_switching_off_ends_the_sockets(node: Node) -> None:
    secret = await secret_of(node)
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        asked = over_websocket("Observation")
        id = await created(client, asked)
        async with one.socket(secret) as socket:
            await socket.send(f"bind {id}")
            await hear(socket)
            answer = await client.put(
                f"Subscription/{id}", json=asked | {"id": id, "status": "off"}
            )
            assert answer.status_code == 200
            with pytest.raises(ConnectionClosed) as closed:
                await hear(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.reason == "subscription.not-listening"


async def test_a_client_that_does_not_read_is_dropped_and_told_again_later(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "SEND_WITHIN_S", 0.5)
    secret = await secret_of(node)
    text = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{LONG}</div>'}
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        id = await created(client, of_topic(OBSERVATIONS, "full-resource"))
        async with one.socket(secret, max_queue=1, max_size=None) as socket:
            await socket.send(f"bind {id}")
            await hear_bundle(socket)
            socket.transport.pause_reading()
            for _ in range(30):
                await created(client, observation() | {"text": text})
            await until(lambda: stuck(node, id), seconds=30)
            left = await waiting(node, id)
            socket.transport.abort()
        assert left > 0
        async with one.socket(secret, max_size=None) as socket:
            await socket.send(f"bind {id}")
            await hear_bundle(socket)
            numbers: list[int] = []
            while len(numbers) < left:
                events = stated(await hear_bundle(socket))["events"]
                numbers += [int(event["event-number"]) for event in events]
        assert numbers == list(range(31 - left, 31))


async def test_a_broken_listener_misses_nothing(node: Node) -> None:
    secret = await secret_of(node)
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        id = await created(client, over_websocket("Observation"))
        async with one.socket(secret) as socket:
            await socket.send(f"bind {id}")
            await hear(socket)
            async with await psycopg.AsyncConnection.connect(node.url, autocommit=True) as admin:
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query = 'LISTEN subscription_delivery' AND datname = current_database()"
                )
            await created(client, observation())
            assert await hear(socket, 5) == f"ping {id}"


async def test_replayed_letters_come_over_the_socket(node: Node) -> None:
    secret = await secret_of(node)
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        id = await created(client, of_topic(OBSERVATIONS))
        made = await created(client, observation())
        await until(lambda: waits(node, id, 1))
        async with node.db.transaction() as tx:
            await tx.execute("UPDATE subscription_delivery SET state = 'dead'")
        async with one.socket(secret) as socket:
            await socket.send(f"bind {id}")
            await hear_bundle(socket)
            await client.post(f"Subscription/{id}/$replay")
            (event,) = stated(await hear_bundle(socket))["events"]
            assert event["focus"]["reference"].endswith(made)


async def test_whoever_never_connects_is_given_up_and_the_events_are_kept(node: Node) -> None:
    secret = await secret_of(node)
    async with node.delivering(), worker(node) as one, one.http(secret) as client:
        id = await created(client, of_topic(OBSERVATIONS))
        await created(client, observation())
        await until(lambda: waits(node, id, 1))
        day = timedelta(days=1)
        async with node.db.transaction() as tx:
            await queue.prune(tx, utc_now(), dead_after=day)
        assert await waiting(node, id) == 1
        async with node.db.transaction() as tx:
            await queue.prune(tx, utc_now() + day, dead_after=day)
        answer = await client.get(f"Subscription/{id}/$dead-letters")
        (letter,) = answer.json()["parameter"]
        assert letter["part"][-1]["valueString"] == "subscription.nobody-connected"
        answer = await client.get(f"Subscription/{id}/$events")
        assert len(stated(answer.json())["events"]) == 1


async def guess(socket: ClientConnection, times: int) -> None:
    for _ in range(times):
        await socket.send("bind-with-token guess")
        await hear(socket)


LONG = "word " * 100_000


async def waiting(node: Node, id: str) -> int:
    return await counted(node, id, "pending")


async def waits(node: Node, id: str, count: int) -> bool:
    return await waiting(node, id) == count


async def stuck(node: Node, id: str) -> bool:
    """Told in part, and for longer than a send may take nothing more."""
    before = await waiting(node, id)
    await asyncio.sleep(1.2)
    told = await counted(node, id, "delivered")
    return told > 0 and before == await waiting(node, id)


async def counted(node: Node, id: str, state: str) -> int:
    async with node.db.connection() as connection:
        row = await (
            await connection.execute(
                "SELECT count(*) FROM subscription_delivery WHERE subscription = %s AND state = %s",
                (id, state),
            )
        ).fetchone()
    assert row is not None
    return int(row[0])
