"""What a request asks the database: its statements, with the plans that the server's connections
use. The requests go through the whole application, in this process, on one connection."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx
import psycopg
from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from serai.app import create_app
from serai.platform.db import PLANS, Database
from serai.platform.settings import Settings

PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?[sbt]")
BUFFERS = re.compile(r"shared hit=(\d+)(?: read=(\d+))?")
TOOK = re.compile(r"Execution Time: ([\d.]+) ms")
# Asked before every request, whatever it is about.
SIGNING_IN = ("FROM access_token", "audit_event")

Asked = list[tuple[str, Any]]


@dataclass(frozen=True)
class Plan:
    """The plan of one statement, what it touched (pages of 8 KB) and how long it took."""

    statement: str
    text: str
    pages: int
    took_ms: float


class Listening(psycopg.AsyncConnection[Any]):
    """Notes what is executed."""

    asked: ClassVar[Asked] = []

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        self.asked.append((query, params))
        return await super().execute(query, params, **options)


@dataclass
class Application:
    """Requests in this process, and the plans of what they asked."""

    http: httpx.AsyncClient
    explaining: psycopg.AsyncConnection[Any]
    names: int = field(default=0)

    async def plans(self, method: str, path: str, content: bytes | None = None) -> list[Plan]:
        """Of a request that is really made, and of statements that are then undone."""
        Listening.asked.clear()
        headers = {"Content-Type": "application/fhir+json"} if content else {}
        answer = await self.http.request(method, path, content=content, headers=headers)
        assert answer.status_code < 300, answer.text
        asked = [
            (text, values)
            for text, values in Listening.asked
            if isinstance(text, str) and not any(one in text for one in SIGNING_IN[:1])
        ]
        return [await self._explained(text, values) for text, values in asked]

    async def _explained(self, text: str, values: Any) -> Plan:
        """EXECUTE of a prepared statement is the one way to see the generic plan with values."""
        order: list[Any] = []

        def number(found: re.Match[str]) -> str:
            key = found[1] if found[1] else len(order)
            if key not in order:
                order.append(key)
            return f"${order.index(key) + 1}"

        statement = PLACEHOLDER.sub(number, text).replace("%%", "%")
        self.names += 1
        name = f"explained{self.names}"
        literals = [sql.Literal(values[key]).as_string(self.explaining) for key in order]
        given = f"({', '.join(literals)})" if literals else ""
        explain = f"EXPLAIN (ANALYZE, BUFFERS) EXECUTE {name}{given}"
        try:
            async with self.explaining.transaction(force_rollback=True):
                await self.explaining.execute(f"PREPARE {name} AS {statement}")
                cursor = await self.explaining.execute(explain)
                plan = "\n".join(line for (line,) in await cursor.fetchall())
        except psycopg.Error as error:
            plan = f"not explained: {error}"
        return Plan(statement, plan, pages(plan), took(plan))


def pages(plan: str) -> int:
    """The top node's buffers hold those of all below."""
    found = BUFFERS.search(plan)
    return sum(int(one or 0) for one in found.groups()) if found else 0


def took(plan: str) -> float:
    found = TOOK.search(plan)
    return float(found[1]) if found else 0.0


@asynccontextmanager
async def application(url: str, base: str, token: str) -> AsyncIterator[Application]:
    settings = Settings(base_url=base)
    app = create_app(settings, url)
    pool = AsyncConnectionPool[Any](
        url, connection_class=Listening, min_size=1, max_size=1, open=False,
        kwargs={"autocommit": True, "options": PLANS, "prepare_threshold": 2},
    )  # fmt: skip
    async with (
        pool,
        await psycopg.AsyncConnection.connect(url, autocommit=True, options=PLANS) as explaining,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=base,
            headers={"Authorization": f"Bearer {token}"},
        ) as http,
    ):  # fmt: skip
        app.state.db = Database(pool)
        yield Application(http, explaining)
