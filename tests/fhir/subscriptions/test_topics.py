"""Topic-based subscriptions (R5 Backport, STU 1.1): handshake, contents, heartbeat."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fhir.resources import observation, patient
from tests.fhir.subscriptions.conftest import (
    Data,
    Heard,
    Node,
    Receiver,
    created,
    status_becomes,
    subscription,
)

from serai.fhir.subscriptions.topics import BASE as TOPICS

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"


def by_topic(
    topic: str, endpoint: str, content: str, *filters: str, heartbeat: int | None = None
) -> Data:
    made = subscription(TOPICS + topic, endpoint)
    made["_criteria"] = {
        "extension": [{"url": BACKPORT + "filter-criteria", "valueString": one} for one in filters]
    }
    if not filters:
        del made["_criteria"]
    made["channel"]["_payload"] = {
        "extension": [{"url": BACKPORT + "payload-content", "valueCode": content}]
    }
    if heartbeat:
        made["channel"]["extension"] = [
            {"url": BACKPORT + "heartbeat-period", "valueUnsignedInt": heartbeat}
        ]
    return made


def status_of(one: Heard) -> dict[str, Any]:
    """The SubscriptionStatus that begins the Bundle, by name."""
    assert (one.data["type"], one.method) == ("history", "POST")
    first = one.data["entry"][0]["resource"]
    assert first["meta"]["profile"] == [BACKPORT + "subscription-status-r4"]
    found: dict[str, Any] = {}
    for part in first["parameter"]:
        value = next((v for k, v in part.items() if k.startswith("value")), None)
        found[part["name"]] = part.get("part", value)
    return found


def focus_of(one: Heard) -> str | None:
    for part in status_of(one)["notification-event"]:
        if part["name"] == "focus":
            return str(part["valueReference"]["reference"])
    return None


async def test_a_topic_begins_with_a_handshake(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        asked = by_topic("any-Patient", receiver.url, "id-only")
        id = await created(client, asked)
        (heard,) = await receiver.until(1)
        await status_becomes(client, id, "active")
    status = status_of(heard)
    assert (status["type"], status["status"]) == ("handshake", "requested")
    assert status["topic"] == TOPICS + "any-Patient"
    assert status["subscription"]["reference"].endswith(f"/Subscription/{id}")


async def test_without_an_answer_to_the_handshake_no_event_is_told(
    node: Node, receiver: Receiver
) -> None:
    receiver.answers = [500] * 8
    client = node.client(await node.machine())
    async with node.delivering():
        id = await created(client, by_topic("any-Patient", receiver.url, "id-only"))
        await created(client, patient())
        found = await status_becomes(client, id, "error")
        assert found["error"] == "HTTP 500"
        await status_becomes(client, id, "active")
        heard = await receiver.until(2)
    assert [status_of(one)["type"] for one in heard] == ["handshake", "event-notification"]


@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
async def test_a_notification_says_as_much_as_was_asked_for(
    node: Node, receiver: Receiver, content: str
) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        await created(client, by_topic("any-Patient", receiver.url, content))
        await receiver.until(1)
        id = await created(client, patient())
        _, heard = await receiver.until(2)
    status = status_of(heard)
    assert (status["type"], status["status"]) == ("event-notification", "active")
    assert status["events-since-subscription-start"] == "1"
    entries = heard.data["entry"][1:]
    assert len(entries) == (0 if content == "empty" else 1)
    assert [entry["resource"]["id"] for entry in entries if "resource" in entry] == (
        [id] if content == "full-resource" else []
    )
    focus = focus_of(heard)
    assert focus is None if content == "empty" else str(focus).endswith(f"/Patient/{id}")


async def test_only_what_a_filter_matches_is_told_and_deletions_too(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        asked = by_topic(
            "any-Observation",
            receiver.url,
            "id-only",
            "Observation?code=a",
            "Observation?status=amended",
        )
        await created(client, asked)
        await receiver.until(1)
        await created(client, observation(code="other"))
        one = await created(client, observation(code="a"))
        other = await created(client, observation(code="b", status="amended"))
        await client.delete(f"Observation/{one}")

        def told() -> list[tuple[str, str]]:
            return [
                (entry["request"]["method"], entry["fullUrl"].rpartition("/")[2])
                for heard in receiver.heard
                for entry in heard.data["entry"][1:]
            ]

        await receiver.until_true(lambda: len(told()) == 3)
    assert told() == [("POST", one), ("POST", other), ("DELETE", one)]


async def test_a_final_report_is_told_once(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    report = {"resourceType": "DiagnosticReport", "code": {"text": "CT"}, "status": "preliminary"}
    async with node.delivering():
        await created(client, by_topic("report-final", receiver.url, "full-resource"))
        await receiver.until(1)
        id = await created(client, report)
        for status in ("final", "final", "corrected"):
            changed = report | {"id": id, "status": status}
            assert (await client.put(f"DiagnosticReport/{id}", json=changed)).status_code == 200

        def told() -> list[str]:
            return [
                entry["resource"]["status"]
                for heard in receiver.heard
                for entry in heard.data["entry"][1:]
            ]

        await receiver.until_true(lambda: "corrected" in told())
    assert told() == ["final", "corrected"]


async def test_when_nothing_happens_a_heartbeat_says_so(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        asked = by_topic("any-Patient", receiver.url, "empty", heartbeat=10)
        await status_becomes(client, await created(client, asked), "active")
        async with node.db.transaction() as tx:
            await tx.execute("UPDATE subscription SET last_sent = last_sent - interval '11 s'")
        _, heard = await receiver.until(2)
    assert status_of(heard)["type"] == "heartbeat"


@pytest.mark.parametrize(
    "asked",
    [
        by_topic("any-Patient", "https://example.org/", "everything"),
        by_topic("any-Patient", "https://example.org/", "empty", heartbeat=1),
        by_topic("task-moved", "https://example.org/", "empty", "Task?identifier=x"),
        by_topic("task-moved", "https://example.org/", "empty", "Patient?name=x"),
        by_topic("any-Patience", "https://example.org/", "empty"),
    ],
    ids=["content", "heartbeat", "filter", "type", "topic"],
)
async def test_what_a_topic_does_not_offer_is_refused(node: Node, asked: Data) -> None:
    client = node.client(await node.machine())
    answer = await client.post("Subscription", json=asked)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"][0].startswith("Subscription.c")


async def test_the_topics_are_listed_in_the_capability_statement(node: Node) -> None:
    client = node.client(await node.machine())
    (rest,) = (await client.get("metadata")).json()["rest"]
    (found,) = (one for one in rest["resource"] if one["type"] == "Subscription")
    listed = {one["valueCanonical"] for one in found["extension"]}
    assert {TOPICS + "task-moved", TOPICS + "any-Patient"} <= listed
