"""`/dicomweb/subscribers/{aetitle}`: the notification connection (PS3.18 §8.10.4, §11.13).

A websocket, opened with a bearer token; a session cookie counts for nothing here, so no other
site can use it. What happens while nobody is connected waits for a day. Each report is told with
the rights its reader has at that moment.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import datetime
from typing import Any, Final

import orjson
import psycopg
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from serai.fhir.subscriptions.hub import Hub
from serai.imaging.ups import access, reports
from serai.imaging.ups.store import CHANNEL
from serai.imaging.ups.subscribing import ae_title
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError, Unavailable
from serai.platform.auth.tokens import token_actor
from serai.platform.db import Database

PATH: Final = "/dicomweb/subscribers/"
LISTEN: Final = f"LISTEN {CHANNEL}"
AT_ONCE: Final = 100
SEND_WITHIN_S: Final = 10.0
LOOK_EVERY_S: Final = 30.0
AGAIN_IN_S: Final = 1.0
# RFC 6455 §7.4.1, and "try again later" of its registry.
REFUSED, BUSY = 1008, 1013

NEXT = """SELECT e.number, e.workitem, e.content::text, e.workitem IS NULL OR EXISTS (
        SELECT 1 FROM imaging_workitem s WHERE s.id = e.workitem AND {visible})
    FROM imaging_workitem_event e
    WHERE e.organisation = %(organisation)s AND e.subscriber = %(subscriber)s
    ORDER BY e.number LIMIT %(most)s"""
TOLD = "DELETE FROM imaging_workitem_event WHERE number = ANY(%s)"

log = logging.getLogger(__name__)


class EventDoor:
    """ASGI middleware, to stand before the one that knows nobody on a websocket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"].startswith(PATH):
            await _serve(WebSocket(scope, receive, send))
        else:
            await self.app(scope, receive, send)


async def _serve(client: WebSocket) -> None:
    hub: Hub = client.app.state.workitem_sockets
    if not hub.enter():
        await client.close(BUSY)
        return
    socket = Socket(client, client.app.state.db)
    try:
        await socket.open(hub)
        await socket.run()
    except WebSocketDisconnect:
        pass
    except (SeraiError, psycopg.OperationalError) as error:
        await _close(client, BUSY if not isinstance(error, SeraiError) else _code(error))
    finally:
        hub.leave(socket)


def _code(error: SeraiError) -> int:
    return BUSY if isinstance(error, Unavailable | _SlowReader) else REFUSED


async def _close(client: WebSocket, code: int) -> None:
    """A client that does not read does not take its leave either."""
    try:
        async with asyncio.timeout(1):
            await client.close(code)
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        log.info("a notification connection was dropped")


class _Nobody(SeraiError):
    """No token, one that no longer holds, or one without the right to read."""


class _SlowReader(SeraiError):
    """A client that takes nothing for too long; what it was not told waits for it."""


class Socket:
    """One task notices that the client has gone; the other tells it what is new."""

    def __init__(self, client: WebSocket, db: Database) -> None:
        self._client = client
        self._db = db
        self._awake = asyncio.Event()
        self._subscriber = ""

    def wake(self, subscription: str, again_from: int | None) -> None:  # noqa: ARG002 - as the hub calls it
        self._awake.set()

    async def open(self, hub: Hub) -> None:
        self._subscriber = ae_title(self._client.scope["path"].removeprefix(PATH))
        actor = await self._actor(utc_now())
        hub.bind(_key(access.organisation_of(actor), self._subscriber), self)
        await self._client.accept()

    async def run(self) -> None:
        tasks = {asyncio.create_task(self._listen()), asyncio.create_task(self._tell())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _listen(self) -> None:
        """Clients have nothing to say here; what they say is passed over."""
        while (await self._client.receive())["type"] != "websocket.disconnect":
            pass
        raise WebSocketDisconnect

    async def _tell(self) -> None:
        while True:
            self._awake.clear()
            wait = LOOK_EVERY_S
            try:
                while rows := await self._next():
                    await self._send(rows)
            except (Unavailable, psycopg.OperationalError):
                wait = AGAIN_IN_S
            try:
                async with asyncio.timeout(wait):
                    await self._awake.wait()
            except TimeoutError:
                continue

    async def _next(self) -> list[tuple[Any, ...]]:
        actor = await self._actor(utc_now())
        visible, values = access.visible(actor)
        named = {
            "organisation": access.organisation_of(actor),
            "subscriber": self._subscriber,
            "most": AT_ONCE,
        }
        async with self._db.connection() as connection:
            cursor = await connection.execute(
                NEXT.format(visible=visible).encode(), {**named, **values}
            )
            return await cursor.fetchall()

    async def _send(self, rows: list[tuple[Any, ...]]) -> None:
        """Only what was handed over is taken off the list: whoever dies before is told again."""
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                for number, workitem, content, seen in rows:
                    if seen:
                        told = reports.event(workitem, number, orjson.loads(content))
                        await self._client.send_text(orjson.dumps(told).decode())
        except TimeoutError:
            raise _SlowReader("ups.slow-reader") from None
        async with self._db.connection() as connection:
            await connection.execute(TOLD, ([number for number, *_ in rows],))

    async def _actor(self, now: datetime) -> Actor:
        scheme, _, secret = self._client.headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer"
        actor = await token_actor(self._db, secret.strip(), now) if bearer else None
        if actor is None or not actor.may("r", access.RESOURCE):
            raise _Nobody("auth.required")
        return actor


def _key(organisation: str, subscriber: str) -> str:
    """As the database makes it when it wakes us."""
    text = f"{organisation} {subscriber}".encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest()
