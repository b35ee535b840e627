"""The audit trail: who did what to which record, in the same transaction as the change."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from serai.kernel.actor import Actor
from serai.platform.db import Connection

# Append-only: no statement in this code base updates or deletes a row of audit_event.
RECORD = """INSERT INTO audit_event
                (at, actor, actor_name, organisation, act, resource, version, patients, outcome)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""


async def record(
    tx: Connection,
    *,
    actor: Actor,
    act: str,
    at: datetime,
    resource: str | None = None,
    version: int | None = None,
    patients: Iterable[str] = (),
    outcome: str = "success",
) -> None:
    """One audit line; `act` is a stable dotted key such as ``fhir.update``."""
    await tx.execute(
        RECORD,
        (
            at,
            actor.id,
            actor.name,
            actor.organisation,
            act,
            resource,
            version,
            sorted(patients),
            outcome,
        ),
    )
