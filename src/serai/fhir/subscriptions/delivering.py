"""The deliverer: matches what changed and tells every subscriber, each at its own pace."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import psycopg

from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import bindings, queue
from serai.fhir.subscriptions.matching import Matcher
from serai.fhir.subscriptions.telling import Pace, Teller
from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError
from serai.platform import tls
from serai.platform.db import Database
from serai.platform.running import stopped_within

# One deliverer in the whole installation, or the order would be lost: "SUBS" in ASCII.
ONLY_ONE = "SELECT pg_try_advisory_lock(1398096467)"
WAKE = "LISTEN subscription_event"
PRUNE_EVERY = timedelta(hours=1)
AGAIN_IN_S = 2.0

log = logging.getLogger(__name__)


async def run(
    db: Database,
    store: FhirStore,
    stop: asyncio.Event,
    *,
    database_url: str,
    hosts: frozenset[str] = frozenset(),
    authorities: Path | None = None,
    pace: Pace | None = None,
) -> None:
    """Until `stop`; a lost database is waited for. `hosts` are private ones that may be told,
    `authorities` a file of those whose certificates count beside the public ones."""
    trusted = trust(authorities)
    while not stop.is_set():
        try:
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as own:
                await _as_the_only_one(own, db, store, stop, hosts, pace or Pace(), trusted)
        except (psycopg.OperationalError, SeraiError) as error:
            log.warning("deliveries pause: %s", type(error).__name__)
            await stopped_within(stop, AGAIN_IN_S)


async def _as_the_only_one(
    own: psycopg.AsyncConnection,
    db: Database,
    store: FhirStore,
    stop: asyncio.Event,
    hosts: frozenset[str],
    pace: Pace,
    trusted: ssl.SSLContext,
) -> None:
    while not await _locked(own):
        if await stopped_within(stop, AGAIN_IN_S):
            return
    await own.execute(WAKE)
    # One endpoint that hangs must not keep the others waiting for a place in the pool.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    async with httpx.AsyncClient(
        trust_env=False,
        timeout=None,  # noqa: S113 - each subscription has its own
        limits=limits,
        verify=trusted,
    ) as client:
        rounds = Rounds(Matcher(db, store), Teller(db, store, client, hosts, pace))
        hearing = asyncio.create_task(_hear(own, rounds.wake))
        stopping = asyncio.create_task(_stop(stop, rounds.wake))
        try:
            while not (stop.is_set() or hearing.done()):
                rounds.wake.clear()
                wait = await rounds.go(utc_now())
                with suppress(TimeoutError):
                    await asyncio.wait_for(rounds.wake.wait(), max(wait, 0.01))
            if hearing.done():
                hearing.result()
        finally:
            for task in (hearing, stopping):
                task.cancel()
            await asyncio.gather(hearing, stopping, return_exceptions=True)
            await rounds.close()


def trust(authorities: Path | None) -> ssl.SSLContext:
    """Raises when the file cannot be read: nobody should wonder why everything is refused."""
    return tls.calling(authorities=authorities)


async def _locked(own: psycopg.AsyncConnection) -> bool:
    row = await (await own.execute(ONLY_ONE)).fetchone()
    return row is not None and bool(row[0])


async def _hear(own: psycopg.AsyncConnection, wake: asyncio.Event) -> None:
    try:
        async for _ in own.notifies():
            wake.set()
    finally:
        wake.set()


async def _stop(stop: asyncio.Event, wake: asyncio.Event) -> None:
    await stop.wait()
    wake.set()


@dataclass(slots=True)
class Rounds:
    """One round matches all that happened and starts a task for every subscription that has
    something to be told; a slow one only keeps itself waiting."""

    matcher: Matcher
    teller: Teller
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _busy: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _missed: set[str] = field(default_factory=set)
    _pruned: datetime | None = None

    async def go(self, now: datetime) -> float:
        """How many seconds nothing will be due."""
        while await self.matcher.step(now):
            pass
        async with self.matcher.db.connection() as connection:
            if self._pruned is None or now - self._pruned > PRUNE_EVERY:
                await queue.prune(connection, now, dead_after=self.teller.pace.dead_after)
                await bindings.prune(connection, now)
                self._pruned = now
            due = await queue.due(connection, utc_now())
        wait = self.teller.pace.look_every_s
        for id, at in due:
            seconds = (at - utc_now()).total_seconds()
            if seconds > 0:
                wait = min(wait, seconds)
            elif id in self._busy:
                self._missed.add(id)
            else:
                self._busy[id] = asyncio.create_task(self._tell(id))
        return wait

    async def _tell(self, id: str) -> None:
        try:
            await self.teller.tell(id)
        except (SeraiError, psycopg.Error) as error:
            log.warning("subscription %s waits: %s", id, type(error).__name__)
        finally:
            self._busy.pop(id, None)
            if id in self._missed:
                # It may have looked just before its newest event came.
                self._missed.discard(id)
                self.wake.set()

    async def close(self) -> None:
        """What is under way is broken off; it was not yet told, and will be told again."""
        tasks = list(self._busy.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
