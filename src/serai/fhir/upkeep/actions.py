"""What an administrator does: cancel or retry a job, switch a subscription, replay letters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serai.fhir import body
from serai.fhir.bulk import files
from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import replaying
from serai.fhir.subscriptions.queue import Event
from serai.fhir.upkeep import records
from serai.fhir.upkeep.model import CANCELLABLE, Paged, Watched
from serai.fhir.visibility import require
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict
from serai.platform import audit, jobs
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.jobs import Job


@dataclass(frozen=True, slots=True)
class Kept:
    """Where everything is."""

    db: Database
    store: FhirStore
    blobs: Blobs


async def see_jobs(kept: Kept, start: int, *, actor: Actor) -> Paged[Job]:
    async with kept.db.connection() as connection:
        return await records.jobs_of(connection, start, actor=actor)


async def see_subscriptions(kept: Kept, start: int, *, actor: Actor) -> Paged[Watched]:
    async with kept.db.connection() as connection:
        return await records.subscriptions_of(connection, kept.store, start, actor=actor)


async def see_subscription(
    kept: Kept, id: str, after: int, *, actor: Actor
) -> tuple[Watched, Paged[Event]]:
    async with kept.db.connection() as connection:
        found = await records.subscription_of(connection, kept.store, id, actor=actor)
        return found, await records.letters_of(connection, id, after)


async def cancel_job(kept: Kept, id: str, *, actor: Actor, now: datetime) -> None:
    """Its files go with it; whoever runs it notices at its next checkpoint."""
    async with kept.db.transaction() as tx:
        found = await records.job_of(tx, id, actor=actor)
        if found.status not in CANCELLABLE:
            raise Conflict("job.is-over")
        await jobs.cancel(tx, id, now=now)
        await audit.record(tx, actor=actor, act="job.cancel", at=now, resource=f"job/{id}")
    await files.forget(kept.db, kept.blobs, [id])


async def retry_job(kept: Kept, id: str, *, actor: Actor, now: datetime) -> None:
    """From where it failed."""
    async with kept.db.transaction() as tx:
        await records.job_of(tx, id, actor=actor)
        if not await jobs.resume(tx, id):
            raise Conflict("job.has-not-failed")
        await audit.record(tx, actor=actor, act="job.resume", at=now, resource=f"job/{id}")


async def switch(kept: Kept, id: str, status: str, *, actor: Actor, now: datetime) -> None:
    """`status` is off or requested; whoever made the subscription stays its subscriber."""
    require(actor, "u", "Subscription")
    async with kept.db.transaction() as tx:
        found = await kept.store.read_to_change(tx, "Subscription", id, actor=actor)
        said = {name: value for name, value in found.data.items() if name != "error"}
        await kept.store.update(
            tx,
            body.of(said | {"status": status}),
            actor=actor,
            now=now,
            if_match=found.version,
        )


async def replay(
    kept: Kept, id: str, numbers: list[int] | None, *, actor: Actor, now: datetime
) -> int:
    async with kept.db.transaction() as tx:
        return await replaying.replay(tx, kept.store, id, numbers, actor=actor, now=now)
