"""How jobs, subscriptions and dead letters are found; only those of the actor's organisation."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from serai.fhir.body import Data
from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import queue
from serai.fhir.subscriptions.queue import Event
from serai.fhir.upkeep.model import PER_PAGE, Paged, Watched
from serai.fhir.visibility import clause, require
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound
from serai.platform import jobs
from serai.platform.db import Connection
from serai.platform.jobs import Job

_COUNTED = """SELECT s.id, s.status, s.channel, s.last_sent, s.last_error, s.last_number,
    (SELECT count(*) FROM subscription_delivery d
     WHERE d.subscription = s.id AND d.state = 'pending'),
    (SELECT count(*) FROM subscription_delivery d
     WHERE d.subscription = s.id AND d.state = 'dead')
FROM subscription s JOIN fhir_resource r ON r.type = 'Subscription' AND r.id = s.id"""
# Those that need somebody come first.
LISTED = """{counted} WHERE {visible}
    ORDER BY array_position(ARRAY['error', 'requested', 'active', 'off'], s.status), s.id
    OFFSET %(start)s LIMIT %(most)s"""
ONE = "{counted} WHERE {visible} AND s.id = %(id)s"


async def jobs_of(connection: Connection, start: int, *, actor: Actor) -> Paged[Job]:
    if actor.organisation is None:
        return Paged((), start, more=False)
    found = await jobs.of_organisation(
        connection, actor.organisation, start=start, most=PER_PAGE + 1
    )
    return Paged(tuple(found[:PER_PAGE]), start, more=len(found) > PER_PAGE)


async def job_of(connection: Connection, id: str, *, actor: Actor) -> Job:
    found = await jobs.find(connection, id)
    if found is None or actor.organisation is None:
        raise NotFound("job.not-found")
    if found.actor.organisation != actor.organisation:
        raise NotFound("job.not-found")
    return found


async def subscriptions_of(
    connection: Connection, store: FhirStore, start: int, *, actor: Actor
) -> Paged[Watched]:
    require(actor, "s", "Subscription")
    values = {"start": start, "most": PER_PAGE + 1}
    rows = await _counted(connection, LISTED, values, actor)
    asked = [("_id", ",".join(row[0] for row in rows)), ("_count", str(PER_PAGE + 1))]
    page = await store.search(connection, "Subscription", asked, actor=actor) if rows else None
    said = {one.id: one.data for one in page.matches} if page else {}
    found = [_watched(row, said[row[0]]) for row in rows if row[0] in said]
    return Paged(tuple(found[:PER_PAGE]), start, more=len(rows) > PER_PAGE)


async def subscription_of(
    connection: Connection, store: FhirStore, id: str, *, actor: Actor
) -> Watched:
    found = await store.read(connection, "Subscription", id, actor=actor)
    rows = await _counted(connection, ONE, {"id": id}, actor)
    if not rows:
        raise NotFound("fhir.not-found", resource=found.reference)
    return _watched(rows[0], found.data)


async def letters_of(connection: Connection, id: str, after: int) -> Paged[Event]:
    """Of a subscription that the actor was found to see: ids, never contents."""
    found = await queue.dead(connection, id, after, PER_PAGE + 1)
    return Paged(tuple(found[:PER_PAGE]), after, more=len(found) > PER_PAGE)


async def _counted(
    connection: Connection, statement: str, values: dict[str, Any], actor: Actor
) -> list[tuple[Any, ...]]:
    visible, bound = clause(actor)
    cursor = await connection.execute(
        statement.format(counted=_COUNTED, visible=visible), values | bound
    )
    return await cursor.fetchall()


def _watched(row: tuple[Any, ...], said: Data) -> Watched:
    id, status, channel, last_sent, last_error, told, waiting, dead = row
    endpoint = str((said.get("channel") or {}).get("endpoint") or "")
    return Watched(
        id=id,
        status=status,
        channel=channel,
        reason=str(said.get("reason") or ""),
        criteria=str(said.get("criteria") or "").partition("?")[0].rpartition("/")[2],
        place=urlsplit(endpoint).hostname or "",
        last_sent=last_sent,
        last_error=last_error,
        told=told,
        waiting=waiting,
        dead=dead,
    )
