"""POST $import, as a job: a body of NDJSON is kept as it streams in; a list of addresses is
fetched by the job, from hosts that the settings name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import psycopg
from starlette.requests import ClientDisconnect, Request

from serai.fhir.bulk import files
from serai.fhir.bulk.inputs import Hosts
from serai.fhir.http.bodies import received
from serai.fhir.http.request import JSON_TYPES, base_of, prefers_async
from serai.fhir.http.response import Answer, refused, responded
from serai.fhir.operations import importing
from serai.fhir.operations.reindex import accepted
from serai.fhir.outcome import MethodNotAllowed
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Malformed, SeraiError, Unavailable, Unsupported
from serai.platform import audit, jobs
from serai.web.authentication import require_actor

NDJSON = frozenset({"application/fhir+ndjson", "application/ndjson", "application/x-ndjson"})

Take = Callable[[Request, Actor], Awaitable[str]]


async def serve(request: Request) -> Answer:
    try:
        actor = require_actor(request)
        _require(request, actor)
        take = _taken(request)
        return responded(request, accepted(base_of(request), await take(request, actor)))
    except SeraiError as error:
        return refused(request, error)
    except ClientDisconnect:
        return Answer.empty(400)
    except psycopg.OperationalError:
        return refused(request, Unavailable("database.unreachable"))


def _require(request: Request, actor: Actor) -> None:
    """Each resource meets the scopes again when it is written."""
    if request.method != "POST":
        raise MethodNotAllowed("fhir.method", method=request.method, allow="POST")
    if actor.kind is Kind.STAFF:
        raise Forbidden("bulk.machines-only")
    if not any("c" in scope.partition("?")[0].rpartition(".")[2] for scope in actor.scopes):
        raise Forbidden("fhir.scope", interaction="c", type="*")
    if request.url.query:
        name = next(iter(request.query_params))
        raise Malformed("operation.unknown-parameter", parameter=name[:64])


def _taken(request: Request) -> Take:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in NDJSON:
        return _kept
    if kind in JSON_TYPES:
        return _to_fetch
    raise Unsupported("bulk.import-type")


async def _to_fetch(request: Request, actor: Actor) -> str:
    """The job; what it may not fetch is refused before it begins."""
    if not prefers_async(request):
        raise Malformed("bulk.prefer-async")
    hosts = Hosts.of(request.app.state.settings)
    async with received(request) as body:
        parameters = importing.wanted(body.pop(), actor=actor, hosts=hosts)
    now = utc_now()
    async with request.app.state.db.transaction() as tx:
        parameters["request"] = f"{base_of(request)}/$import"
        job = await jobs.ask(tx, "import", parameters, actor=actor, now=now)
        await audit.record(tx, actor=actor, act="fhir.import", at=now, resource=f"job/{job}")
    return job


async def _kept(request: Request, actor: Actor) -> str:
    """The job; the upload is a blob before the job is asked for."""
    blobs, now = request.app.state.blobs, utc_now()
    digest = await blobs.put(request.stream())
    async with request.app.state.db.transaction() as tx:
        parameters = {"request": f"{base_of(request)}/$import"}
        job = await jobs.ask(tx, "import", parameters, actor=actor, now=now)
        there = await files.record(
            tx, blobs, job, list="input", type="NDJSON", digest=digest, count=0
        )
        if not there:
            raise Unavailable("database.busy")
        await audit.record(tx, actor=actor, act="fhir.import", at=now, resource=f"job/{job}")
    return job
