"""A database connection that keeps watching its socket between statements.

psycopg registers the socket with the event loop for every wait and takes it off again: eight of
the 21 system calls of a read. Here it stays registered until something arrives that nobody waits
for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg import waiting
from psycopg.pq import TransactionStatus

Returned = TypeVar("Returned")
Waits = Generator[waiting.Wait, waiting.Ready | int, Returned]

CANCEL_WITHIN_S = 5.0
INTERVAL_S = 0.1


class WatchingConnection(psycopg.AsyncConnection[Any]):
    """As psycopg's own; only how it waits for answers differs."""

    _watched: int | None = None
    _arrival: asyncio.Future[None] | None = None

    async def wait(
        self,
        gen: Waits[Returned],
        interval: float = INTERVAL_S,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's own signature
    ) -> Returned:
        if timeout is not None:
            self._unwatch()
            return await super().wait(gen, interval, timeout)
        try:
            wanted = next(gen)
            while wanted == waiting.WAIT_R:
                await self._readable()
                wanted = gen.send(waiting.READY_R)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            await self._cancel(gen)
            raise
        except BaseException:
            # libpq may have closed the socket: its number can be another's in a moment.
            self._unwatch()
            raise
        self._unwatch()
        return await super().wait(_resumed(gen, wanted), interval)

    async def close(self) -> None:
        self._unwatch()
        await super().close()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        self._arrival = loop.create_future()
        if self._watched is None:
            self._watched = self.pgconn.socket
            loop.add_reader(self._watched, self._arrived)
        try:
            await self._arrival
        finally:
            self._arrival = None

    def _arrived(self) -> None:
        if self._arrival is None:
            self._unwatch()
        elif not self._arrival.done():
            self._arrival.set_result(None)

    def _unwatch(self) -> None:
        if self._watched is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = None

    async def _cancel(self, gen: Waits[Any]) -> None:
        """Left by whoever asked: the statement ends before the connection is used again."""
        self._unwatch()
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            await self.cancel_safe(timeout=CANCEL_WITHIN_S)
            with suppress(psycopg.errors.QueryCanceled):
                await super().wait(gen, INTERVAL_S)


def _resumed(gen: Waits[Returned], wanted: waiting.Wait) -> Waits[Returned]:
    """The rest of a generator that has been asked already."""
    while True:
        ready = yield wanted
        try:
            wanted = gen.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
