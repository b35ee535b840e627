"""Dead letters told again, by whoever may change the subscription; always on the audit trail."""

from __future__ import annotations

from datetime import datetime

from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import queue
from serai.fhir.visibility import require
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden
from serai.platform import audit
from serai.platform.db import Connection


async def replay(
    tx: Connection,
    store: FhirStore,
    id: str,
    numbers: list[int] | None,
    *,
    actor: Actor,
    now: datetime,
) -> int:
    """All of them without `numbers`; how many wait again, before anything newer."""
    require(actor, "u", "Subscription")
    found = await store.read_to_change(tx, "Subscription", id, actor=actor)
    if not actor.system_wide and found.owner != actor.organisation:
        raise Forbidden("fhir.shared-to-read", resource=found.reference)
    await audit.record(tx, actor=actor, act="fhir.replay", at=now, resource=found.reference)
    return await queue.replay(tx, found.id, numbers, now)
