"""The floors of the benchmark: the least any server on this machine can do with this database.

python tools/bench_floor.py URL PORT    the bare ASGI program on that port
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import psycopg
import uvicorn
from psycopg_pool import AsyncConnectionPool

Act = Callable[[int], Awaitable[None]]

ANY = "SELECT id FROM fhir_resource WHERE type = 'Observation' ORDER BY id LIMIT 1000"
ONE = "SELECT content FROM fhir_resource WHERE type = 'Observation' AND id = %s"


class Bare:
    """One SELECT by primary key, nothing else."""

    def __init__(self, url: str) -> None:
        self.pool = AsyncConnectionPool(url, open=False, kwargs={"autocommit": True}, max_size=10)
        self.opened = False

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        if not self.opened:
            self.opened = True
            await self.pool.open()
        async with self.pool.connection() as connection:
            cursor = await connection.execute(ONE, [scope["path"][1:]], binary=True)
            row = await cursor.fetchone()
        body = row[0] if row else b""
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def bare_asgi(
    url: str, port: int, session: aiohttp.ClientSession
) -> AsyncIterator[tuple[int, Act]]:
    """Its process id, and a request of it."""
    ids = await _ids(url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.bench_floor", url, str(port)
    )
    address = f"http://127.0.0.1:{port}"

    async def act(number: int) -> None:
        async with session.get(f"{address}/{ids[number % len(ids)]}") as answer:
            assert await answer.read()

    try:
        for _ in range(100):
            try:
                await act(0)
                break
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
        yield process.pid, act
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def bare_sql(url: str) -> AsyncIterator[Act]:
    ids = await _ids(url)
    pool = AsyncConnectionPool(url, open=False, kwargs={"autocommit": True}, max_size=32)
    await pool.open()

    async def act(number: int) -> None:
        async with pool.connection() as connection:
            await (await connection.execute(ONE, [ids[number % len(ids)]], binary=True)).fetchone()

    yield act
    await pool.close()


async def _ids(url: str) -> list[str]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        return [id for (id,) in await (await connection.execute(ANY)).fetchall()]


if __name__ == "__main__":
    uvicorn.run(
        Bare(sys.argv[1]), port=int(sys.argv[2]), log_level="error", http="httptools", loop="uvloop"
    )
