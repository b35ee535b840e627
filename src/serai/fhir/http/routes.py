"""The endpoint: who asks, what for, and on which connection it happens."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from serai.fhir.bundle import batch, entries, transaction
from serai.fhir.http import jobs, uploads
from serai.fhir.http.capabilities import statement
from serai.fhir.http.request import base_of, negotiate, pairs, path_of, read_request
from serai.fhir.http.response import refused, responded
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.interaction.retrying import again_on_collision
from serai.fhir.interaction.table import Interaction, find
from serai.fhir.outcome import MethodNotAllowed
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError, Unavailable
from serai.platform.db import Connection, Database
from serai.web.authentication import require_actor

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def routes() -> list[BaseRoute]:
    """Everything under /fhir. Needs `app.state.db`, `.fhir` and `.blobs`."""
    return [
        Route("/fhir", serve, methods=METHODS),
        Route("/fhir/$import", uploads.serve, methods=METHODS),
        Route("/fhir/jobs/{id}", jobs.serve, methods=METHODS),
        Route("/fhir/jobs/{id}/{name}", jobs.download, methods=METHODS),
        Route("/fhir/{path:path}", serve, methods=METHODS),
    ]


async def serve(request: Request) -> Response:
    """One interaction; whatever is refused comes back as an OperationOutcome."""
    try:
        return responded(request, await _answer(request))
    except SeraiError as error:
        return refused(request, error)
    except ClientDisconnect:
        return Response(status_code=400)
    except psycopg.OperationalError:
        return refused(request, Unavailable("database.unreachable"))


async def _answer(request: Request) -> Reply:
    path = path_of(request)
    if path == ("metadata",):
        return _metadata(request)
    visit = Visit(request.app.state.db, request.app.state.fhir, require_actor(request))
    if path == ():
        if request.method != "POST":
            raise MethodNotAllowed("fhir.method", method=request.method, allow="POST")
        return await visit.bundle(await read_request(request, path))
    interaction = find("GET" if request.method == "HEAD" else request.method, path)
    return await visit.perform(interaction, await read_request(request, path))


def _metadata(request: Request) -> Reply:
    """The CapabilityStatement, for everybody (R4 §3.1.0.9)."""
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed("fhir.method", method=request.method, allow="GET, HEAD")
    negotiate(request.headers, pairs(request.url.query))
    return Reply(200, statement(base_of(request)))


@dataclass(frozen=True, slots=True)
class Visit:
    """One request's use of the store: one connection, never a second while holding it."""

    db: Database
    store: FhirStore
    actor: Actor

    async def perform(self, interaction: Interaction, asked: Asked) -> Reply:
        if not interaction.writes:
            async with self.db.connection() as connection:
                return await interaction.handler(self._scene(connection), asked)

        async def attempt() -> Reply:
            async with self.db.transaction() as tx:
                return await interaction.handler(self._scene(tx), asked)

        return await again_on_collision(attempt)

    async def bundle(self, asked: Asked) -> Reply:
        requests = entries.read(asked.raw, prefer=asked.prefer, base=asked.base)
        if requests.type == "batch":
            async with self.db.connection() as connection:
                return Reply(200, await batch.run(self._scene(connection), requests))

        async def attempt() -> bytes:
            async with self.db.transaction() as tx:
                return await transaction.run(self._scene(tx), requests)

        return Reply(200, await again_on_collision(attempt))

    def _scene(self, connection: Connection) -> Scene:
        return Scene(self.store, connection, self.actor, utc_now())
