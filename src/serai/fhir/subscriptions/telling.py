"""One subscription told of what waits for it, in order: handshake, events, heartbeat, failure."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import httpx

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import queue, sealing
from serai.fhir.subscriptions.definition import Definition
from serai.fhir.subscriptions.matching import definition_of
from serai.fhir.subscriptions.notifications import Told, bundle
from serai.fhir.subscriptions.queue import Event, Listener
from serai.fhir.subscriptions.sending import Letter, send
from serai.fhir.subscriptions.subscribers import subscriber
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Gone, NotFound, Stale, Unavailable
from serai.platform.db import Connection, Database

MEDIA_TYPE = "application/fhir+json"


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the deliverer is with an endpoint that does not answer."""

    first_pause_s: float = 1.0
    longest_pause_s: float = 900.0
    tries: int = 20
    dead_after: timedelta = timedelta(hours=24)
    look_every_s: float = 2.0

    def pause(self, failures: int) -> timedelta:
        """Doubles each time, with jitter, so that many endpoints do not come back at once."""
        seconds = min(self.longest_pause_s, self.first_pause_s * 2 ** min(failures, 20))
        return timedelta(seconds=seconds * random.uniform(0.5, 1.0))  # noqa: S311


@dataclass(frozen=True, slots=True)
class Teller:
    """Sends, and writes down what came of it; no connection is held while an endpoint thinks."""

    db: Database
    store: FhirStore
    client: httpx.AsyncClient
    allowed: frozenset[str]
    pace: Pace

    async def tell(self, id: str) -> None:
        """Everything that waits, until an attempt fails."""
        while await self._once(id):
            pass

    async def _once(self, id: str) -> bool:
        """One notification; False when there is nothing more to do now."""
        now = utc_now()
        async with self.db.connection() as connection:
            one = await queue.listener(connection, id)
            wanted = await definition_of(connection, self.store, id) if one else None
            who = await subscriber(connection, one.subscriber, one.kind, now=now) if one else None
        if one is None or one.status == "off" or one.next_try > now:
            return False
        wanted = await self._with_headers(id, wanted)
        if wanted is None or who is None:
            reason = "subscription.no-access" if wanted else "subscription.unreadable"
            await self._show(one, "error", reason)
            await self._later(id, reason, now + timedelta(seconds=self.pace.longest_pause_s))
            return False
        if wanted.is_over(now):
            await self._show(one, "off", None)
            return False
        if one.status == "requested":
            return await self._activate(one, wanted, now)
        if wanted.channel == "websocket":
            return False
        return await self._events(one, wanted, who, now)

    async def _with_headers(self, id: str, wanted: Definition | None) -> Definition | None:
        """None when its secrets cannot be opened."""
        if wanted is None or self.store.keys is None:
            return wanted
        try:
            return await sealing.opened(self.store.keys, id, wanted)
        except Unavailable as error:
            log.warning("the headers of subscription %s cannot be opened: %s", id, error.key)
            return None

    async def _activate(self, one: Listener, wanted: Definition, now: datetime) -> bool:
        """A topic's subscriber must answer a handshake first; plain R4 knows none, and over a
        websocket it comes when somebody binds."""
        if wanted.topic and wanted.channel == "rest-hook":
            content = bundle("handshake", one, wanted, base=self.store.base)
            problem = await send(
                self.client, wanted, Letter("POST", content, MEDIA_TYPE), self.allowed
            )
            if problem:
                await self._later(one.id, problem, now + self.pace.pause(one.failures))
                if one.failures + 1 >= self.pace.tries:
                    await self._show(one, "error", problem, still="requested")
                return False
        async with self.db.transaction() as tx:
            await tx.execute(queue.SENT, {"id": one.id, "now": utc_now()})
        await self._show(one, "active", None)
        return True

    async def _events(self, one: Listener, wanted: Definition, who: Actor, now: datetime) -> bool:
        async with self.db.connection() as connection:
            most = wanted.most if wanted.topic else 1
            waiting = await queue.pending(connection, one.id, most)
            told, withheld = await what_may_be_told(connection, self.store, waiting, who)
            if withheld:
                await queue.settle(
                    connection, one.id, withheld, "withheld", "subscription.no-access", now
                )
        if not told:
            return bool(withheld) or await self._heartbeat(one, wanted, now)
        problem = await send(self.client, wanted, self._letter(one, wanted, told), self.allowed)
        numbers = [item.event.number for item in told]
        if problem:
            await self._failed(one, numbers, problem)
            return False
        async with self.db.transaction() as tx:
            at = utc_now()
            await queue.settle(tx, one.id, numbers, "delivered", None, at)
            await tx.execute(queue.SENT, {"id": one.id, "now": at})
        if one.status == "error":
            await self._show(one, "active", None)
        return True

    async def _heartbeat(self, one: Listener, wanted: Definition, now: datetime) -> bool:
        period = timedelta(seconds=wanted.heartbeat_s)
        if not period or one.last_sent is None or now - one.last_sent < period:
            return False
        content = bundle("heartbeat", one, wanted, base=self.store.base)
        problem = await send(self.client, wanted, Letter("POST", content, MEDIA_TYPE), self.allowed)
        if problem:
            await self._later(one.id, problem, now + self.pace.pause(one.failures))
            return False
        async with self.db.transaction() as tx:
            await tx.execute(queue.SENT, {"id": one.id, "now": utc_now()})
        return False

    def _letter(self, one: Listener, wanted: Definition, told: Sequence[Told]) -> Letter:
        """A Bundle for a topic; for plain R4 the resource itself, or an empty ping."""
        if wanted.topic:
            # An event may have come after the listener was read.
            last = max(one.last_number, told[-1].event.number)
            one = replace(one, last_number=last)
            content = bundle("event-notification", one, wanted, told, base=self.store.base)
            return Letter("POST", content, MEDIA_TYPE)
        if wanted.payload is None:
            return Letter("POST", b"", None)
        return Letter("PUT", told[0].content or b"", wanted.payload, below=told[0].reference)

    async def _failed(self, one: Listener, numbers: list[int], problem: str) -> None:
        """Tried again later; what was tried too often or for too long becomes a dead letter."""
        now = utc_now()
        async with self.db.transaction() as tx:
            cursor = await tx.execute(queue.TRIED, (problem, one.id, numbers))
            given_up = [
                number
                for number, tries, at in await cursor.fetchall()
                if tries >= self.pace.tries or now - at > self.pace.dead_after
            ]
            if given_up:
                await queue.settle(tx, one.id, given_up, "dead", problem, now)
            await tx.execute(queue.FAILED, (now + self.pace.pause(one.failures), problem, one.id))
        if given_up:
            await self._show(one, "error", problem)

    async def _later(self, id: str, problem: str, at: datetime) -> None:
        async with self.db.transaction() as tx:
            await tx.execute(queue.FAILED, (at, problem, id))

    async def _show(
        self, one: Listener, status: str, error: str | None, *, still: str | None = None
    ) -> None:
        """The state on the resource itself; a client that writes it at the same time wins.
        `still` is what it is for us: without a handshake no error lets events through."""
        async with self.db.transaction() as tx:
            try:
                found = await self.store.read(tx, "Subscription", one.id, actor=serai_itself)
            except NotFound:
                return
            if found.data["status"] == "off":
                return
            if (found.data["status"], found.data.get("error")) != (status, error):
                shown = {k: v for k, v in found.data.items() if k != "error"} | {"status": status}
                if error:
                    shown["error"] = error
                with_version = {"if_match": found.version}
                try:
                    async with tx.transaction():
                        await self.store.update(
                            tx, body.of(shown), actor=serai_itself, now=utc_now(), **with_version
                        )
                except Stale:
                    return
            if status == "off":
                await queue.switch_off(tx, one.id)
            else:
                await tx.execute(queue.STATUS, (still or status, one.id))


async def what_may_be_told(
    connection: Connection, store: FhirStore, events: Sequence[Event], actor: Actor
) -> tuple[list[Told], list[int]]:
    """The events with their contents as the actor may read them now, and those it may not."""
    told: list[Told] = []
    withheld: list[int] = []
    for one in events:
        try:
            found = await store.vread(connection, one.type, one.id, one.version, actor=actor)
            told.append(Told(one, found.raw))
        except Gone:
            told.append(Told(one, None))
        except (NotFound, Forbidden):
            withheld.append(one.number)
    return told, withheld
