"""The entries of a batch-response or transaction-response."""

from __future__ import annotations

from typing import Any

import msgspec

from serai.fhir import outcome
from serai.fhir.body import encode
from serai.fhir.bundle.entries import Entry
from serai.fhir.interaction.asked import Reply
from serai.kernel.clock import instant
from serai.kernel.errors import SeraiError


def bundle(type: str, entries: list[dict[str, Any]]) -> bytes:
    """`type` is batch or transaction, as asked."""
    answer: dict[str, Any] = {"resourceType": "Bundle", "type": f"{type}-response"}
    if entries:
        answer["entry"] = entries
    return encode(answer)


def succeeded(entry: Entry, reply: Reply) -> dict[str, Any]:
    """Status and version; the resource itself for reads, or where it was asked for by Prefer."""
    response: dict[str, Any] = {"status": str(reply.status)}
    if reply.location:
        response["location"] = reply.location.removeprefix(f"{entry.asked.base}/")
    if reply.stored:
        response["etag"] = reply.etag
        response["lastModified"] = instant(reply.stored.last_updated)
    answer: dict[str, Any] = {"response": response}
    if reply.content is not None and entry.wants_resource:
        answer["resource"] = msgspec.Raw(reply.content)
    return answer


def failed(error: SeraiError) -> dict[str, Any]:
    return {
        "response": {
            "status": str(outcome.status_of(error)),
            "outcome": msgspec.Raw(outcome.of_error(error)),
        }
    }
