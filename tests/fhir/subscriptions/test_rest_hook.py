"""Rest-hooks (R4 §2.46): who is told what, in which order, and what happens when nobody answers."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fhir.resources import observation, patient
from tests.fhir.subscriptions.conftest import Node, Receiver, created, ids, status_becomes
from tests.fhir.subscriptions.conftest import subscription as wanting

from serai.fhir import body
from serai.fhir.subscriptions.telling import Pace
from serai.kernel.clock import utc_now

HEART_RATE = "Observation?code=http://loinc.org|8867-4"


async def test_a_subscription_becomes_active(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        id = await created(client, wanting(HEART_RATE, receiver.url))
        await status_becomes(client, id, "active")


async def test_only_what_the_criteria_match_is_told(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        id = await created(
            client, wanting(HEART_RATE, receiver.url, header=["Authorization: Bearer secret"])
        )
        await status_becomes(client, id, "active")
        await created(client, observation(code="2708-6"))
        await created(client, patient())
        matching = await created(client, observation())
        (heard,) = await receiver.until(1)
    assert (heard.method, heard.path) == ("PUT", f"/hook/Observation/{matching}")
    assert heard.data["id"] == matching
    assert heard.headers["authorization"] == "Bearer secret"
    assert heard.headers["content-type"] == "application/fhir+json"


async def test_without_payload_only_a_ping_is_sent(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    asked = wanting(HEART_RATE, receiver.url)
    del asked["channel"]["payload"]
    async with node.delivering():
        await created(client, asked)
        await created(client, observation())
        (heard,) = await receiver.until(1)
    assert (heard.method, heard.path, heard.body) == ("POST", "/hook", b"")


async def test_every_version_is_told_even_when_a_newer_one_is_there(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    await created(client, wanting("Observation?status=preliminary", receiver.url))
    id = await created(client, observation(status="preliminary"))
    await client.put(f"Observation/{id}", json=observation(id=id, status="final"))
    last = await created(client, observation(status="preliminary"))
    async with node.delivering():
        heard = await receiver.until(2)
        assert ids(heard) == [id, last]
        assert heard[0].data["meta"]["versionId"] == "1"
        assert heard[0].data["status"] == "preliminary"


async def test_the_order_is_kept_through_a_receiver_that_fails(
    node: Node, receiver: Receiver
) -> None:
    receiver.answers = [500, 503, 404]
    client = node.client(await node.machine())
    async with node.delivering():
        await created(client, wanting("Observation", receiver.url))
        made = [await created(client, observation()) for _ in range(10)]
        assert ids(await receiver.until(10)) == made
        assert receiver.answers == []


async def test_a_receiver_that_hangs_keeps_nobody_else_waiting(node: Node, receivers: Any) -> None:
    hanging, well = await receivers(), await receivers()
    hanging.hangs = True
    client = node.client(await node.machine())
    async with node.delivering():
        await created(client, wanting("Observation", hanging.url))
        await created(client, wanting("Observation", well.url))
        made = [await created(client, observation()) for _ in range(5)]
        assert ids(await well.until(5, seconds=5)) == made
        assert hanging.heard == []


async def test_what_parallel_writers_write_is_told_completely(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())

    async def write(name: str) -> list[str]:
        return [await created(client, observation(code=f"{name}-{n}")) for n in range(50)]

    async with node.delivering():
        await created(client, wanting("Observation", receiver.url))
        written = await asyncio.gather(*(write(f"w{n}") for n in range(8)))
        heard = await receiver.until(400, seconds=60)
    told = ids(heard)
    assert len(told) == 400
    assert set(told) == {id for one in written for id in one}
    for one in written:
        assert [id for id in told if id in set(one)] == one


async def test_a_subscription_that_is_off_or_deleted_tells_nothing(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        off = await created(client, wanting("Observation", receiver.url + "/off"))
        gone = await created(client, wanting("Observation", receiver.url + "/gone"))
        await created(client, wanting("Observation", receiver.url + "/on"))
        found = await status_becomes(client, off, "active")
        answer = await client.put(f"Subscription/{off}", json=found | {"status": "off"})
        assert answer.status_code == 200, answer.text
        assert (await client.delete(f"Subscription/{gone}")).status_code == 204
        await created(client, observation())
        await receiver.until(1)
        await asyncio.sleep(0.2)
    assert [one.path.split("/")[2] for one in receiver.heard] == ["on"]


async def test_nothing_is_lost_when_the_deliverer_is_stopped_in_the_middle(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    await created(client, wanting("Observation", receiver.url))
    made = [await created(client, observation()) for _ in range(40)]
    async with node.delivering():
        await receiver.until(5)
    before = len(receiver.heard)
    assert before < 40
    made += [await created(client, observation()) for _ in range(5)]
    async with node.delivering():
        await receiver.until_true(lambda: set(ids(receiver.heard)) == set(made))
        told = list(dict.fromkeys(ids(receiver.heard)))
    assert told == made
    assert len(receiver.heard) <= 46


async def test_a_letter_tried_too_often_is_dead_and_the_next_one_goes_on(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    receiver.answers = [500] * 3
    async with node.delivering(Pace(first_pause_s=0.02, tries=3, look_every_s=0.2)):
        id = await created(client, wanting("Observation", receiver.url))
        first = await created(client, observation())
        await status_becomes(client, id, "error")
        second = await created(client, observation())
        assert ids(await receiver.until(1)) == [second]
        await status_becomes(client, id, "active")
    async with node.db.connection() as connection:
        rows = await connection.execute(
            "SELECT id, state, tries, reason FROM subscription_delivery ORDER BY number"
        )
        assert await rows.fetchall() == [
            (first, "dead", 3, "HTTP 500"),
            (second, "delivered", 0, None),
        ]


async def test_criteria_that_cannot_be_answered_stop_nobody_else(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        unknown = wanting("Observation?code:in=http://example.org/unknown", receiver.url)
        broken = await created(client, unknown)
        await created(client, wanting("Observation", receiver.url))
        made = await created(client, observation())
        assert ids(await receiver.until(1)) == [made]
    answer = await client.get(f"Subscription/{broken}/$dead-letters")
    (letter,) = answer.json()["parameter"]
    assert letter["part"][-1]["valueString"] == "subscription.unreadable"


async def test_what_nobody_subscribed_to_leaves_no_trace(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    await created(client, observation())
    await created(client, wanting("Observation", receiver.url))
    await created(client, patient())
    one = await created(client, observation())
    async with node.db.connection() as connection:
        rows = await connection.execute("SELECT type, id, version FROM subscription_event")
        assert await rows.fetchall() == [("Observation", one, 1)]


async def test_a_redirect_is_a_failure_and_leads_nowhere(node: Node, receivers: Any) -> None:
    sent, elsewhere = await receivers(), await receivers()
    sent.answers, sent.elsewhere = [302, 307, 308], elsewhere.url
    client = node.client(await node.machine())
    async with node.delivering():
        await created(client, wanting("Observation", sent.url))
        made = await created(client, observation())
        assert ids(await sent.until(1)) == [made]
    assert sent.answers == []
    assert elsewhere.heard == []


async def test_a_rolled_back_write_is_never_told(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    await created(client, wanting("Observation", receiver.url))
    entry = {"request": {"method": "POST", "url": "Observation"}, "resource": observation()}
    refused = {
        "request": {"method": "POST", "url": "Patient"},
        "resource": {"resourceType": "Patient", "gender": "x"},
    }
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry, refused]}
    assert (await client.post("", json=bundle)).status_code in (400, 422)
    last = await created(client, observation())
    async with node.delivering():
        assert ids(await receiver.until(1)) == [last]


async def test_a_long_writing_transaction_delays_only_its_own_events(
    node: Node, receiver: Receiver
) -> None:
    actor = await node.machine()
    client = node.client(actor)
    await created(client, wanting("Observation", receiver.url))
    async with node.delivering():
        async with node.db.transaction() as tx:
            late = await node.store.create(tx, body.of(observation()), actor=actor, now=utc_now())
            early = [await created(client, observation()) for _ in range(2)]
            assert ids(await receiver.until(2)) == early
        assert ids(await receiver.until(3)) == [*early, late.id]
        changed = await client.put(f"Observation/{late.id}", json=observation(id=late.id))
        assert changed.status_code == 200
        versions = [one.data["meta"]["versionId"] for one in (await receiver.until(4))[2:]]
    assert versions == ["1", "2"]
