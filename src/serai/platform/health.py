"""Liveness and readiness, for whoever watches the server."""

from __future__ import annotations

import asyncio

from psycopg import OperationalError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from serai.kernel.errors import Unavailable

# Whoever watches asks every few seconds.
ANSWER_WITHIN_S = 3.0


async def healthz(_request: Request) -> Response:
    """This process answers."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """This process answers and so does its database."""
    try:
        async with (
            asyncio.timeout(ANSWER_WITHIN_S),
            request.app.state.db.connection() as connection,
        ):
            await connection.execute("SELECT 1")
    except (OperationalError, Unavailable, TimeoutError):
        return PlainTextResponse("database unavailable\n", status_code=503)
    return PlainTextResponse("ok\n")


def routes() -> list[BaseRoute]:
    return [Route("/healthz", healthz), Route("/readyz", readyz)]
