"""The floors of the benchmark: the least any server on this machine can do with this database.

python tools/bench_floor.py URL PORT    the bare ASGI program on that port

It runs the very statements of the store for a read, a search by name and a create, and nothing
else: no authentication, no parsing, checking or indexing, no audit of reads.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import psycopg
import uvicorn
from msgspec import structs
from psycopg_pool import AsyncConnectionPool
from tools.bench_fhir import FAMILIES, PATIENTS, an_observation

from serai.fhir import body
from serai.fhir.search import parsing
from serai.fhir.search.sql import page_statement
from serai.fhir.store import tables
from serai.fhir.store.rows import Row, make
from serai.fhir.stored import stored
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.ids import new_id
from serai.platform.db import PLANS

Act = Callable[[int], Awaitable[None]]

ANY = "SELECT id FROM fhir_resource WHERE type = 'Observation' ORDER BY id LIMIT 1000"
ONE = "SELECT content FROM fhir_resource WHERE type = 'Observation' AND id = %s"
BASE = "http://127.0.0.1/fhir"


class Bare:
    """GET /ID, GET /family/NAME and POST /."""

    def __init__(self, url: str) -> None:
        kwargs = {"autocommit": True, "prepare_threshold": 2, "options": PLANS}
        self.pool = AsyncConnectionPool(url, open=False, kwargs=kwargs, max_size=10)
        self.opened = False
        asked = parsing.parse("Patient", [("family", "bench10")], now=utc_now(), base=BASE)
        self.search, self.values = page_statement(asked, serai_itself)
        self.row = _a_row()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        if not self.opened:
            self.opened = True
            await self.pool.open()
        name = scope["path"][1:]
        async with self.pool.connection() as connection:
            if scope["method"] == "POST":
                answer = await self._create(connection)
            elif name.startswith("family/"):
                answer = await self._by_family(connection, name.removeprefix("family/"))
            else:
                answer = await self._read(connection, name)
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _read(self, connection: psycopg.AsyncConnection[Any], id: str) -> bytes:
        row = await (await connection.execute(ONE, [id], binary=True)).fetchone()
        return bytes(row[0]) if row else b""

    async def _by_family(self, connection: psycopg.AsyncConnection[Any], name: str) -> bytes:
        values = {
            key: value.replace("bench10", name) if isinstance(value, str) else value
            for key, value in self.values.items()
        }
        cursor = await connection.execute(self.search, values, binary=True)
        rows = [stored(row).raw for row in await cursor.fetchall()]
        return b"[%b]" % b",".join(rows)

    async def _create(self, connection: psycopg.AsyncConnection[Any]) -> bytes:
        row = structs.replace(self.row.stored, id=new_id())
        new = Row(row, self.row.patients, self.row.keys, encoded=self.row.encoded)
        await tables.write(
            connection, tables.INSERT_NEW, [new], act="fhir.create", actor=serai_itself
        )
        return row.raw


def _a_row() -> Row:
    text = msgspec.json.encode(an_observation("Patient/1", 1))
    row = make(
        body.parse(text), id=new_id(), version=1, at=utc_now(), method="POST", owner=None, base=BASE
    )
    return Row(row.stored, row.patients, row.keys, encoded=tables.encoded(row))


@asynccontextmanager
async def bare_asgi(
    url: str, port: int, session: aiohttp.ClientSession
) -> AsyncIterator[tuple[int, dict[str, Act]]]:
    """Its process id, and requests of it by what they are the floor of."""
    ids = await _ids(url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.bench_floor", url, str(port)
    )
    address = f"http://127.0.0.1:{port}"

    async def read(number: int) -> None:
        async with session.get(f"{address}/{ids[number % len(ids)]}") as answer:
            assert await answer.read()

    async def by_family(number: int) -> None:
        async with session.get(f"{address}/family/bench{number % 10 + 10}") as answer:
            assert len(await answer.json(content_type=None)) == PATIENTS // FAMILIES

    async def create(number: int) -> None:
        async with session.post(f"{address}/", json=an_observation("Patient/1", number)) as answer:
            assert await answer.read()

    try:
        await _until_it_answers(read)
        yield process.pid, {"read": read, "family": by_family, "create": create}
    finally:
        process.terminate()
        await process.wait()


async def _until_it_answers(act: Act) -> None:
    for _ in range(100):
        try:
            return await act(0)
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
    raise SystemExit("the bare program did not answer in 10 s")


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
