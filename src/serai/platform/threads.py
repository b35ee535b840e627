"""The database for threads that wait anyway: a statement without its way through an event loop,
which for a small one costs ten times the statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from serai.kernel.errors import Unavailable
from serai.platform.db import PLANS, WAIT_FOR_CONNECTION_S

ThreadConnection = psycopg.Connection[tuple[Any, ...]]


class ThreadDatabase:
    """As `Database`, for blocking threads; its connections are made when first wanted."""

    def __init__(self, url: str, *, max_size: int) -> None:
        self._pool: ConnectionPool[ThreadConnection] = ConnectionPool(
            url,
            min_size=0,
            max_size=max_size,
            timeout=WAIT_FOR_CONNECTION_S,
            kwargs={"autocommit": True, "prepare_threshold": 0, "options": PLANS},
            open=True,
        )

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def connection(self) -> Iterator[ThreadConnection]:
        """An autocommit connection, for single statements; Unavailable when there is none."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout as error:
            raise Unavailable("database.busy") from error
        except psycopg.OperationalError as error:
            raise Unavailable("database.unreachable") from error
