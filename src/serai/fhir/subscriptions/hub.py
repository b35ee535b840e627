"""Every bound websocket of this process, woken by the database whoever made the change.

A client is connected to one web worker and the change may be made in another: each listens on a
connection of its own, outside the pool, opened with the first socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Protocol

import psycopg

LISTEN = "LISTEN subscription_delivery"
AGAIN_IN_S = 1.0
MOST_SOCKETS = 1000

log = logging.getLogger(__name__)


class Bound(Protocol):
    """What can be woken: `again_from` is the lowest number that may wait again."""

    def wake(self, subscription: str, again_from: int | None) -> None: ...


class Hub:
    """Which socket is bound to which subscription, and the listener that wakes them."""

    def __init__(self, database_url: str, listen: str = LISTEN) -> None:
        self._url = database_url
        self._listen_statement = listen.encode()
        self._bound: defaultdict[str, set[Bound]] = defaultdict(set)
        self._listening: asyncio.Task[None] | None = None
        self._count = 0

    def enter(self) -> bool:
        """A new socket; False when there are too many."""
        if self._count >= MOST_SOCKETS:
            return False
        self._count += 1
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        return True

    def bind(self, subscription: str, socket: Bound) -> None:
        self._bound[subscription].add(socket)

    def leave(self, socket: Bound) -> None:
        self._count -= 1
        for id in [id for id, bound in self._bound.items() if socket in bound]:
            self._bound[id].discard(socket)
            if not self._bound[id]:
                del self._bound[id]

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as own:
                    await own.execute(self._listen_statement)
                    # Whatever came while nobody listened.
                    self._wake_all()
                    async for one in own.notifies():
                        id, _, number = one.payload.partition(" ")
                        self._wake(id, int(number) if number.isdecimal() else None)
            except psycopg.Error as error:
                log.warning("websockets wait for the database: %s", type(error).__name__)
            await asyncio.sleep(AGAIN_IN_S)

    def _wake(self, id: str, again_from: int | None) -> None:
        for socket in tuple(self._bound.get(id, ())):
            socket.wake(id, again_from)

    def _wake_all(self) -> None:
        for id in tuple(self._bound):
            self._wake(id, 1)
