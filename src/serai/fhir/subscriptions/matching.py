"""From what changed to who is told: criteria answered by search itself, rights by the store."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from serai.fhir import body
from serai.fhir.body import Data
from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import queue
from serai.fhir.subscriptions.definition import Definition, Pairs, read
from serai.fhir.subscriptions.queue import Happened, Listener
from serai.fhir.subscriptions.subscribers import subscriber
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.errors import Forbidden, Gone, Invalid, NotFound, SeraiError
from serai.kernel.ids import new_id
from serai.platform.db import Connection, Database

MOST_AT_ONCE = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Takes events out of the outbox and gives each its numbered deliveries."""

    db: Database
    store: FhirStore

    async def step(self, now: datetime) -> int:
        """One batch, all or nothing; how many events it took."""
        async with self.db.transaction() as tx:
            events = await queue.happened(tx, MOST_AT_ONCE)
            if events:
                await self._distribute(tx, events, now)
                await tx.execute(queue.TAKEN, ([one.sequence for one in events],))
        return len(events)

    async def _distribute(self, tx: Connection, events: Sequence[Happened], now: datetime) -> None:
        by_type: defaultdict[str, list[tuple[Listener, Definition, Actor]]] = defaultdict(list)
        for one in await queue.interested(tx, sorted({event.type for event in events})):
            wanted = await definition_of(tx, self.store, one.id)
            who = await subscriber(tx, one.subscriber, one.kind, now=now)
            if wanted and who and not wanted.is_over(now):
                by_type[wanted.type].append((one, wanted, who))
        for event in events:
            if interested := by_type.get(event.type):
                await self._match(tx, event, interested)

    async def _match(
        self,
        tx: Connection,
        event: Happened,
        interested: Sequence[tuple[Listener, Definition, Actor]],
    ) -> None:
        after = await version(tx, self.store, event.type, event.id, event.version)
        before = None
        if after is None or any(wanted.topic for _, wanted, _ in interested):
            before = await version(tx, self.store, event.type, event.id, event.version - 1)
        answered: dict[Pairs, bool | None] = {}
        for one, wanted, who in interested:
            happened = wanted.topic.happened(before, after) if wanted.topic else after is not None
            content, number = (after, event.version) if after else (before, event.version - 1)
            if not happened or content is None:
                continue
            for query in wanted.queries:
                if query not in answered:
                    answered[query] = await self._tried(tx, event, content, number, query)
            answers = [answered[query] for query in wanted.queries]
            if not any(answer is not False for answer in answers):
                continue
            if await may_see(tx, self.store, event.type, event.id, event.version, who):
                problem = None if any(answers) else "subscription.unreadable"
                await queue.add(tx, one, event, problem=problem)

    async def _tried(
        self, tx: Connection, event: Happened, content: Data, number: int, query: Pairs
    ) -> bool | None:
        """None when the criteria cannot be answered any more: the event becomes a dead letter
        of that subscription and stops nobody else's."""
        try:
            async with tx.transaction():
                return await self._answers(tx, event, content, number, query)
        except (SeraiError, psycopg.DataError, psycopg.ProgrammingError) as error:
            log.warning("criteria cannot be answered: %s", type(error).__name__)
            return None

    async def _answers(
        self, tx: Connection, event: Happened, content: Data, number: int, query: Pairs
    ) -> bool:
        """Whether search finds this version by these criteria."""
        own = {id for name, value in query if name == "_id" for id in value.split(",")}
        if own and event.id not in own:
            return False
        rest = tuple(pair for pair in query if pair[0] != "_id")
        if not rest:
            return True
        current = await self._current(tx, event)
        if current == number:
            return await self._finds(tx, event.type, event.id, rest)
        # A superseded version is found by nothing any more: for a moment, in a transaction that
        # is always rolled back, it is a resource of its own.
        async with tx.transaction(force_rollback=True):
            stand_in = new_id()
            made = body.of(content | {"id": stand_in})
            store = FhirStore(base=self.store.base)
            await store.create(tx, made, id=stand_in, actor=serai_itself, now=event.at)
            return await self._finds(tx, event.type, stand_in, rest)

    async def _current(self, tx: Connection, event: Happened) -> int:
        try:
            return (await self.store.read(tx, event.type, event.id, actor=serai_itself)).version
        except NotFound:
            return 0

    async def _finds(self, tx: Connection, type: str, id: str, criteria: Pairs) -> bool:
        params = [*criteria, ("_id", id), ("_count", "1")]
        page = await self.store.search(tx, type, params, actor=serai_itself)
        return bool(page.matches)


async def definition_of(connection: Connection, store: FhirStore, id: str) -> Definition | None:
    """What the Subscription says now; None when it is gone, or says what is no longer offered.
    Whether its endpoint is allowed is asked when something is sent."""
    try:
        found = await store.read(connection, "Subscription", id, actor=serai_itself)
        return read(found.data, allowed=None, base=store.base)
    except (NotFound, Invalid):
        return None


async def version(
    connection: Connection, store: FhirStore, type: str, id: str, number: int
) -> Data | None:
    """What this version said; None for a deletion, and before the first."""
    try:
        return (await store.vread(connection, type, id, number, actor=serai_itself)).data
    except NotFound:
        return None


async def may_see(
    connection: Connection, store: FhirStore, type: str, id: str, number: int, actor: Actor
) -> bool:
    """Whether the actor could read and search it now; a deletion is seen where it was seen."""
    if not actor.may("s", type):
        return False
    try:
        await store.vread(connection, type, id, number, actor=actor)
    except Gone:
        return True
    except (NotFound, Forbidden):
        return False
    return True
