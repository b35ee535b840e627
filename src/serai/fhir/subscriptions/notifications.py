"""Notification Bundles of the backport (STU 1.1 §2.4): a history Bundle that a status begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from serai.fhir.body import Data, encode
from serai.fhir.subscriptions.definition import Definition
from serai.fhir.subscriptions.queue import Event, Listener
from serai.kernel.clock import instant
from serai.kernel.ids import new_id

PROFILES = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"


@dataclass(frozen=True, slots=True)
class Told:
    """One event with what the subscriber may see of it; `content` is None for a deletion."""

    event: Event
    content: bytes | None

    @property
    def reference(self) -> str:
        return f"{self.event.type}/{self.event.id}"


def bundle(
    kind: str, one: Listener, wanted: Definition, told: Sequence[Told] = (), *, base: str
) -> bytes:
    """`kind`: handshake, heartbeat, event-notification or query-event."""
    described = status(kind, one, wanted, told, base=base)
    first: Data = {
        "fullUrl": f"urn:uuid:{described['id']}",
        "resource": described,
        "request": {"method": "GET", "url": f"{base}/Subscription/{one.id}/$status"},
        "response": {"status": "200"},
    }
    entries = [first]
    if wanted.content != "empty":
        entries += [_entry(item, wanted, base) for item in told]
    return encode(
        {
            "resourceType": "Bundle",
            "id": new_id(),
            "meta": {"profile": [PROFILES + "backport-subscription-notification-r4"]},
            "type": "history",
            "entry": entries,
        }
    )


def status(
    kind: str, one: Listener, wanted: Definition, told: Sequence[Told] = (), *, base: str
) -> Data:
    """The SubscriptionStatus, which in R4 is a Parameters resource."""
    parameter: list[Data] = [
        {
            "name": "subscription",
            "valueReference": {"reference": f"{base}/Subscription/{one.id}"},
        }
    ]
    if wanted.topic:
        parameter.append({"name": "topic", "valueCanonical": wanted.topic.url})
    state = "requested" if kind == "handshake" else one.status
    parameter += [
        {"name": "status", "valueCode": state},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(one.last_number)},
        *(_event(item, wanted, base) for item in told),
    ]
    if one.last_error:
        parameter.append({"name": "error", "valueCodeableConcept": {"text": one.last_error}})
    return {
        "resourceType": "Parameters",
        "id": new_id(),
        "meta": {"profile": [PROFILES + "backport-subscription-status-r4"]},
        "parameter": parameter,
    }


def _event(item: Told, wanted: Definition, base: str) -> Data:
    part: list[dict[str, Any]] = [
        {"name": "event-number", "valueString": str(item.event.number)},
        {"name": "timestamp", "valueInstant": instant(item.event.at)},
    ]
    if wanted.content != "empty":
        focus = {"reference": f"{base}/{item.reference}"}
        part.append({"name": "focus", "valueReference": focus})
    return {"name": "notification-event", "part": part}


def _entry(item: Told, wanted: Definition, base: str) -> Data:
    method = "DELETE" if item.content is None else "POST" if item.event.version == 1 else "PUT"
    made: Data = {"fullUrl": f"{base}/{item.reference}"}
    if item.content is not None and wanted.content == "full-resource":
        made["resource"] = msgspec.Raw(item.content)
    url = item.event.type if method == "POST" else item.reference
    made["request"] = {"method": method, "url": url}
    answered = {"DELETE": "204", "POST": "201", "PUT": "200"}[method]
    made["response"] = {"status": answered}
    return made
