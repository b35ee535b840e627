"""POST $import with a body of NDJSON: kept as it streams in, then imported as a job.

Only what is sent here is imported. Addresses to fetch from are not taken: a server that fetches
what a client names reaches into the network it stands in.
"""

from __future__ import annotations

import psycopg
from starlette.requests import ClientDisconnect, Request

from serai.fhir.bulk import files
from serai.fhir.http.request import base_of
from serai.fhir.http.response import Answer, refused, responded
from serai.fhir.operations.reindex import accepted
from serai.fhir.outcome import MethodNotAllowed
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Malformed, SeraiError, Unavailable, Unsupported
from serai.platform import audit, jobs
from serai.web.authentication import require_actor

NDJSON = frozenset({"application/fhir+ndjson", "application/ndjson", "application/x-ndjson"})


async def serve(request: Request) -> Answer:
    try:
        actor = require_actor(request)
        _require(request, actor)
        return responded(request, accepted(base_of(request), await _kept(request, actor)))
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
    if not any("c" in scope.rpartition(".")[2] for scope in actor.scopes):
        raise Forbidden("fhir.scope", interaction="c", type="*")
    if request.url.query:
        name = next(iter(request.query_params))
        raise Malformed("operation.unknown-parameter", parameter=name[:64])
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in NDJSON:
        raise Unsupported("bulk.import-type")


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
