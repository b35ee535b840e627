"""One request to one answer: who asks, what for, and on which connection it happens."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psycopg
from starlette.requests import ClientDisconnect, Request

from serai.fhir.bundle import batch, entries, transaction
from serai.fhir.http.bodies import received
from serai.fhir.http.capabilities import statement
from serai.fhir.http.request import base_of, headers_of, negotiate, pairs, path_of, read_request
from serai.fhir.http.response import Answer, refused, responded
from serai.fhir.interaction import reading
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.interaction.retrying import COLLISIONS, again_on_collision
from serai.fhir.interaction.table import Interaction, find
from serai.fhir.outcome import MethodNotAllowed
from serai.fhir.store import FhirStore, Reads
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError, Unavailable
from serai.platform.db import Connection, Database
from serai.web.authentication import require_actor

LONGEST_PLACE = 200


async def serve(request: Request) -> Answer:
    """One interaction; whatever is refused comes back as an OperationOutcome."""
    try:
        return responded(request, await _answer(request))
    except SeraiError as error:
        return refused(request, error)
    except ClientDisconnect:
        return Answer.empty(400)
    except psycopg.OperationalError:
        return refused(request, Unavailable("database.unreachable"))


async def _answer(request: Request) -> Reply:
    path = path_of(request)
    await _look_at_parameters(request)
    if path == ("metadata",):
        return _metadata(request)
    visit = _visit(request)
    if path == () and request.method == "POST":
        async with received(request) as body:
            return await visit.bundle(read_request(request, path, body.pop()))
    interaction = find("GET" if request.method == "HEAD" else request.method, path)
    if request.method in ("GET", "HEAD"):
        return await visit.perform(interaction, read_request(request, path, b""))
    async with received(request) as body:
        return await visit.perform(interaction, read_request(request, path, body.pop()))


async def _look_at_parameters(request: Request) -> None:
    """Only for a moment after a SearchParameter was written; else a task looks now and then."""
    state = request.app.state
    if state.fhir.parameters.is_due:
        async with state.db.connection() as connection:
            await state.fhir.parameters.look(connection)


def _visit(request: Request) -> Visit:
    state = request.app.state
    return Visit(state.db, state.fhir, state.fhir.reads(state.db), require_actor(request))


def _metadata(request: Request) -> Reply:
    """The CapabilityStatement, for everybody (R4 §3.1.0.9)."""
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed("fhir.method", method=request.method, allow="GET, HEAD")
    negotiate(headers_of(request), pairs(request.url.query))
    return Reply(200, statement(base_of(request)))


def looked_at(asked: Asked) -> str:
    """Where somebody looked, for the audit trail: the address with the names of its parameters,
    whose values may be somebody's name."""
    names = ",".join(sorted({name for name, _ in asked.params}))
    return "/".join(asked.path)[:LONGEST_PLACE] + (f"?{names[:LONGEST_PLACE]}" if names else "")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request's use of the store: one connection, never a second while holding it."""

    db: Database
    store: FhirStore
    reads: Reads
    actor: Actor

    async def perform(self, interaction: Interaction, asked: Asked) -> Reply:
        if interaction.handler is reading.read:
            return await self._read(asked)
        if not interaction.writes:
            async with self.db.connection() as connection:
                reply = await interaction.handler(self._scene(connection), asked)
            self._note(asked)
            return reply

        if interaction.alone and self._is_one_statement(asked):
            with suppress(*COLLISIONS):
                async with self.db.connection() as connection:
                    return await interaction.handler(self._scene(connection), asked)

        async def attempt() -> Reply:
            async with self.db.transaction() as tx:
                return await interaction.handler(self._scene(tx), asked)

        return await again_on_collision(attempt)

    def _is_one_statement(self, asked: Asked) -> bool:
        """Whether nothing but the write itself has to be decided in the same transaction."""
        return asked.conditions.if_none_exist is None and not self.store.guarded(asked.path[0])

    async def _read(self, asked: Asked) -> Reply:
        """The busiest interaction shares a connection with others that arrive together."""
        reading.refuse_parameters(asked)
        kind, id = asked.path
        found = await self.reads.read(kind, id, actor=self.actor)
        return reading.found(asked, found)

    def _note(self, asked: Asked) -> None:
        self.store.trail.note(self.actor, "fhir.look", looked_at(asked), at=utc_now())

    async def bundle(self, asked: Asked) -> Reply:
        requests = entries.read(asked.raw, prefer=asked.prefer, base=asked.base)
        del asked  # and the whole body with it
        for entry in requests.entries:
            if entry.asked.method == "GET":
                self._note(entry.asked)
        if requests.type == "batch":
            async with self.db.connection() as connection:
                return Reply(200, await batch.run(self._scene(connection), requests))

        if transaction.is_one_statement(requests, self.store):
            with suppress(*COLLISIONS):
                async with self.db.connection() as connection:
                    return Reply(200, await transaction.run(self._scene(connection), requests))

        async def attempt() -> bytes:
            async with self.db.transaction() as tx:
                return await transaction.run(self._scene(tx), requests)

        return Reply(200, await again_on_collision(attempt))

    def _scene(self, connection: Connection) -> Scene:
        return Scene(self.store, connection, self.actor, utc_now())
