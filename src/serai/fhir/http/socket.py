"""`/fhir/websocket`: clients that are told of changes as they happen (R4 §2.46.3, Subscriptions
R5 Backport §2.5).

The client says `bind [id]`, authorised by the bearer token it connected with, or
`bind-with-token [token]`; a session cookie counts for nothing here, so no other site can use it.
No connection of the pool is held while a client takes its time.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

import psycopg
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from serai.fhir import outcome
from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import bindings
from serai.fhir.subscriptions.bindings import Binding
from serai.fhir.subscriptions.feeding import Feed, Message, Standing
from serai.fhir.subscriptions.hub import Hub
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed, SeraiError, Unavailable
from serai.platform.auth.tokens import token_actor
from serai.platform.db import Database

PATH = "/fhir/websocket"

LONGEST_COMMAND = 200
MOST_FEEDS = 100
MOST_MISTAKES = 10
BIND_WITHIN = timedelta(seconds=15)
SEND_WITHIN_S = 10.0
LOOK_EVERY_S = 30.0
AGAIN_IN_S = 1.0

# RFC 6455 §7.4.1, and "try again later" of its registry.
DONE, REFUSED, BUSY = 1000, 1008, 1013

log = logging.getLogger(__name__)


class Over(Exception):
    """This socket ends: the code and the reason that the client sees."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """One socket from its handshake to its end."""
    client = WebSocket(scope, receive, send)
    state = client.app.state
    hub: Hub = state.sockets
    if not hub.enter():
        await client.close(BUSY)
        return
    socket = Socket(client, hub, state.db, state.fhir)
    try:
        await client.accept()
        await socket.run(await _bearer(client, state.db))
    except Over as over:
        await _close(client, over)
    except WebSocketDisconnect:
        pass
    except (SeraiError, psycopg.OperationalError):
        await _close(client, Over(BUSY, "database.unreachable"))
    finally:
        hub.leave(socket)


async def _bearer(client: WebSocket, db: Database) -> Actor | None:
    scheme, _, secret = client.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    actor = await token_actor(db, secret.strip(), utc_now())
    if actor is None:
        raise Over(REFUSED, "auth.required")
    return actor


async def _close(client: WebSocket, over: Over) -> None:
    """A client that does not read does not take its leave either."""
    try:
        async with asyncio.timeout(1):
            await client.close(over.code, over.reason)
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        log.info("a websocket was dropped: %s", over.reason)


class Socket:
    """A task reads what the client says; another tells it what is new, message by message."""

    def __init__(self, client: WebSocket, hub: Hub, db: Database, store: FhirStore) -> None:
        self._client = client
        self._hub = hub
        self._db = db
        self._store = store
        self._feeds: dict[str, Feed] = {}
        self._wanted: set[str] = set()
        self._said: asyncio.Queue[str] = asyncio.Queue(maxsize=4)
        self._awake = asyncio.Event()
        self._mistakes = 0
        self._opened = utc_now()

    def wake(self, subscription: str, again_from: int | None) -> None:
        self._wanted.add(subscription)
        feed = self._feeds.get(subscription)
        if feed is not None and again_from is not None:
            feed.sent = min(feed.sent, again_from - 1)
        self._awake.set()

    async def run(self, actor: Actor | None) -> None:
        reading = asyncio.create_task(self._read())
        telling = asyncio.create_task(self._tell(actor))
        tasks = {reading, telling}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _read(self) -> None:
        while True:
            event = await self._client.receive()
            if event["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(event.get("code", DONE))
            await self._said.put((event.get("text") or "")[: LONGEST_COMMAND + 1])
            self._awake.set()

    async def _tell(self, actor: Actor | None) -> None:
        while True:
            self._awake.clear()
            try:
                while not self._said.empty():
                    await self._obey(self._said.get_nowait(), actor)
                wait = await self._round()
            except (Unavailable, psycopg.OperationalError):
                wait = AGAIN_IN_S
            try:
                async with asyncio.timeout(wait):
                    await self._awake.wait()
            except TimeoutError:
                self._wanted |= set(self._feeds)

    async def _obey(self, said: str, actor: Actor | None) -> None:
        verb, _, given = said.strip().partition(" ")
        binding = await self._binding(verb, given.strip(), actor, utc_now())
        if binding is None:
            await self._mistaken()
            return
        for id in binding.subscriptions:
            await self._bind(id, binding)

    async def _binding(
        self, verb: str, given: str, actor: Actor | None, now: datetime
    ) -> Binding | None:
        if not given or len(given) > LONGEST_COMMAND:
            return None
        if verb == "bind" and actor is not None:
            return Binding((given,), actor.id, actor.kind)
        if verb != "bind-with-token":
            return None
        async with self._db.connection() as connection:
            return await bindings.redeem(connection, given, now=now)

    async def _bind(self, id: str, binding: Binding) -> None:
        now = utc_now()
        if len(self._feeds) >= MOST_FEEDS and id not in self._feeds:
            raise Over(REFUSED, "subscription.binding")
        feed = Feed(id, binding.holder, binding.kind, binding.until)
        # Bound before it is looked at: nothing can happen unnoticed in between.
        self._hub.bind(id, self)
        async with self._db.connection() as connection:
            standing = await feed.standing(connection, self._store, now)
        if isinstance(standing, str):
            await self._mistaken()
            return
        self._feeds[id] = feed
        self._store.trail.note(standing.holder, "fhir.bind", f"Subscription/{id}", at=now)
        await self._send(feed.begin(standing, self._store, now))
        self._wanted.add(id)

    async def _mistaken(self) -> None:
        """The same answer for what is not there and what may not be seen."""
        self._mistakes += 1
        if self._mistakes > MOST_MISTAKES:
            raise Over(REFUSED, "subscription.binding")
        await self._send(Message((outcome.of_error(Malformed("subscription.binding")).decode(),)))

    async def _round(self) -> float:
        """Tells all that is new; how many seconds nothing will be due."""
        while self._wanted:
            # Taken out first: what happens while it is looked at makes it wanted again.
            if feed := self._feeds.get(self._wanted.pop()):
                await self._feed(feed)
        now = utc_now()
        if not self._feeds:
            left = (self._opened + BIND_WITHIN - now).total_seconds()
            if left <= 0:
                raise Over(REFUSED, "subscription.binding")
            return left
        due = [at for feed in self._feeds.values() if (at := feed.due())]
        soonest = min(due, default=now + timedelta(seconds=LOOK_EVERY_S))
        return min(max((soonest - now).total_seconds(), 0.05), LOOK_EVERY_S)

    async def _feed(self, feed: Feed) -> None:
        while message := await self._look(feed):
            await self._send(message)
            async with self._db.connection() as connection:
                await feed.was_told(connection, message, utc_now())

    async def _look(self, feed: Feed) -> Message | None:
        now = utc_now()
        async with self._db.connection() as connection:
            standing = await feed.standing(connection, self._store, now)
            if isinstance(standing, Standing):
                return await feed.next(connection, self._store, standing, now)
        raise Over(REFUSED if standing == "subscription.no-access" else DONE, standing)

    async def _send(self, message: Message) -> None:
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                for frame in message.frames:
                    await self._client.send_text(frame)
        except TimeoutError:
            raise Over(BUSY, "subscription.slow-reader") from None
