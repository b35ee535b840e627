"""PostgreSQL, the one database: a pool of autocommit connections and explicit transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from serai.kernel.errors import Unavailable
from serai.platform.watching import WatchingConnection

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

# Longer than any healthy queue, shorter than a client's patience.
WAIT_FOR_CONNECTION_S = 5.0

# A prepared statement is planned once, not for each set of values: planning costs several times
# what a lookup by index does.
PLANS = "-c plan_cache_mode=force_generic_plan"


class Database:
    """Take one connection per request and never a second while holding it: then a full
    pool only queues, it cannot deadlock."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool

    @classmethod
    async def open(
        cls, url: str, *, max_size: int = 10, wait_s: float = WAIT_FOR_CONNECTION_S
    ) -> Database:
        pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            connection_class=WatchingConnection,
            min_size=min(2, max_size),
            max_size=max_size,
            timeout=wait_s,
            kwargs={"autocommit": True, "prepare_threshold": 2, "options": PLANS},
            open=False,
        )
        try:
            await pool.open(wait=True, timeout=10.0)
        except (PoolTimeout, psycopg.OperationalError) as error:
            await pool.close()
            raise Unavailable("database.unreachable") from error
        return cls(pool)

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """An autocommit connection, for single-statement reads."""
        async with self._borrowed() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """BEGIN … COMMIT around the block; any exception rolls everything back."""
        async with self._borrowed() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Connection]:
        try:
            connection = await self._pool.getconn()
        except PoolTimeout as error:
            raise Unavailable("database.busy") from error
        try:
            yield connection
        except psycopg.errors.DiskFull as error:
            raise Unavailable("storage.full") from error
        except psycopg.OperationalError as error:
            # Collisions of transactions are operational errors too; whoever retries wants those.
            if connection.closed:
                raise Unavailable("database.unreachable") from error
            raise
        finally:
            await self._pool.putconn(connection)
