"""The deliverer: matches what changed and tells every subscriber, each at its own pace."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import psycopg

from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import queue
from serai.fhir.subscriptions.matching import Matcher
from serai.fhir.subscriptions.telling import Pace, Teller
from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError
from serai.platform.db import Database

# One deliverer in the whole installation, or the order would be lost: "SUBS" in ASCII.
ONLY_ONE = "SELECT pg_try_advisory_lock(1398096467)"
WAKE = "LISTEN subscription_event"
LOOK_EVERY_S = 2.0
PRUNE_EVERY = timedelta(hours=1)

log = logging.getLogger(__name__)


async def run(
    db: Database,
    store: FhirStore,
    stop: asyncio.Event,
    *,
    database_url: str,
    hosts: frozenset[str] = frozenset(),
    pace: Pace | None = None,
) -> None:
    """Until `stop`; a lost database is waited for. `hosts` are private ones that may be told."""
    while not stop.is_set():
        try:
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as own:
                await _as_the_only_one(own, db, store, stop, hosts, pace or Pace())
        except (psycopg.OperationalError, SeraiError) as error:
            log.warning("deliveries pause: %s", type(error).__name__)
            await _pause(stop, LOOK_EVERY_S)


async def _as_the_only_one(
    own: psycopg.AsyncConnection,
    db: Database,
    store: FhirStore,
    stop: asyncio.Event,
    hosts: frozenset[str],
    pace: Pace,
) -> None:
    while not stop.is_set():
        row = await (await own.execute(ONLY_ONE)).fetchone()
        if row and row[0]:
            break
        await _pause(stop, LOOK_EVERY_S)
    await own.execute(WAKE)
    async with httpx.AsyncClient(trust_env=False, timeout=None) as client:  # noqa: S113
        teller = Teller(db, store, client, hosts, pace)
        rounds = Rounds(Matcher(db, store), teller)
        try:
            while not stop.is_set():
                wait = await rounds.go(utc_now())
                await _woken(own, stop, wait)
        finally:
            await rounds.close()


@dataclass(slots=True)
class Rounds:
    """One round matches all that is settled and starts a task for every subscription that has
    something to be told; a slow one only keeps itself waiting."""

    matcher: Matcher
    teller: Teller
    _busy: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _pruned: datetime | None = None

    async def go(self, now: datetime) -> float:
        """How many seconds nothing will be due."""
        while await self.matcher.step(now):
            pass
        async with self.matcher.db.connection() as connection:
            if self._pruned is None or now - self._pruned > PRUNE_EVERY:
                await connection.execute(queue.PRUNE, (now - queue.KEEP_DELIVERED,))
                self._pruned = now
            listeners = await queue.listening(connection)
        self._busy = {id: task for id, task in self._busy.items() if not task.done()}
        wait = LOOK_EVERY_S
        for one in listeners:
            due = (one.next_try - now).total_seconds()
            if due > 0:
                wait = min(wait, due)
            elif one.id not in self._busy:
                self._busy[one.id] = asyncio.create_task(self._tell(one.id))
        return wait

    async def _tell(self, id: str) -> None:
        try:
            await self.teller.tell(id)
        except (SeraiError, psycopg.Error) as error:
            log.warning("subscription %s waits: %s", id, type(error).__name__)

    async def close(self) -> None:
        for task in self._busy.values():
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)


async def _woken(own: psycopg.AsyncConnection, stop: asyncio.Event, most: float) -> None:
    """Until something changed, or the next look is due."""
    stopping = asyncio.create_task(stop.wait())
    hearing = asyncio.create_task(_heard(own, most))
    await asyncio.wait({stopping, hearing}, return_when=asyncio.FIRST_COMPLETED)
    for task in (stopping, hearing):
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    if hearing.done() and not hearing.cancelled():
        hearing.result()


async def _heard(own: psycopg.AsyncConnection, most: float) -> None:
    async for _ in own.notifies(timeout=max(most, 0.01), stop_after=1):
        pass


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds * random.uniform(0.8, 1.2))  # noqa: S311
