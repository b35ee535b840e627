"""The addresses of jobs: how far they are, what they made, and cancelling them.

The asynchronous pattern of the Bulk Data Access IG: 202 with X-Progress, then 200 with the
manifest; DELETE cancels. A job is known to whoever asked for it and to nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from serai.fhir import outcome
from serai.fhir.body import encode
from serai.fhir.bulk import files
from serai.fhir.bulk.exporting import transaction_time
from serai.fhir.bulk.files import File
from serai.fhir.http.request import base_of
from serai.fhir.http.response import MEDIA_TYPE, Answer, refused
from serai.fhir.messages import text
from serai.fhir.outcome import MethodNotAllowed
from serai.kernel.actor import Actor
from serai.kernel.clock import instant, utc_now
from serai.kernel.errors import NotFound, SeraiError, Unavailable
from serai.platform import audit, jobs
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.jobs import Job
from serai.web.authentication import require_actor

NDJSON = "application/fhir+ndjson"
ASK_AGAIN_IN_S = 2


async def serve(request: Request) -> Answer | Response:
    """GET tells how far it is or what it made, DELETE cancels."""
    return await _guarded(request, ("GET", "HEAD", "DELETE"), _answer)


async def download(request: Request) -> Answer | Response:
    """One file of a finished job."""
    return await _guarded(request, ("GET", "HEAD"), _file)


async def _guarded(
    request: Request,
    methods: tuple[str, ...],
    answer: Callable[[Request, Actor, Job], Awaitable[Response]],
) -> Answer | Response:
    try:
        actor = require_actor(request)
        if request.method not in methods:
            raise MethodNotAllowed("fhir.method", method=request.method, allow=", ".join(methods))
        return await answer(request, actor, await _own(request, actor))
    except SeraiError as error:
        return refused(request, error)
    except psycopg.OperationalError:
        return refused(request, Unavailable("database.unreachable"))


async def _own(request: Request, actor: Actor) -> Job:
    async with _db(request).connection() as connection:
        job = await jobs.find(connection, request.path_params["id"])
    gone = job is None or job.status == "cancelled" or job.actor.id != actor.id
    if job is None or gone or (job.expires_at and job.expires_at < utc_now()):
        raise NotFound("job.not-found")
    return job


def _db(request: Request) -> Database:
    db: Database = request.app.state.db
    return db


async def _answer(request: Request, actor: Actor, job: Job) -> Response:
    if request.method == "DELETE":
        return await _cancelled(request, actor, job)
    if job.open:
        return _under_way(job)
    if job.error:
        reason = text(job.error, job.error_details)
        failed = outcome.of_error(Unavailable("job.failed", reason=reason))
        return Response(failed, 500, media_type=MEDIA_TYPE)
    if job.kind == "reindex":
        return _response(200, {"resourceType": "Parameters", "parameter": _counts(job)})
    async with _db(request).connection() as connection:
        made = await files.of_job(connection, job.id)
    return _response(200, manifest(job, made, base_of(request)), expires=job)


async def _cancelled(request: Request, actor: Actor, job: Job) -> Response:
    """Files go at once; a runner that is writing one stops at its next checkpoint."""
    blobs: Blobs = request.app.state.blobs
    now = utc_now()
    async with _db(request).transaction() as tx:
        await jobs.cancel(tx, job.id, now=now)
        await audit.record(tx, actor=actor, act="job.cancel", at=now, resource=f"job/{job.id}")
    await files.forget(_db(request), blobs, [job.id])
    return Response(status_code=202)


def _under_way(job: Job) -> Response:
    headers = {"x-progress": _progress(job), "retry-after": str(ASK_AGAIN_IN_S)}
    return Response(status_code=202, headers=headers)


def _progress(job: Job) -> str:
    here, wanted = len(job.state.get("settled", ())), len(job.parameters.get("inputs", ()))
    if job.open and here < wanted:
        return f"{here} of {wanted} files fetched"
    if job.status == "waiting":
        return f"waiting, {job.done} resources done" if job.done else "waiting"
    of_total = f" of {job.total}" if job.total is not None else ""
    return f"{job.done}{of_total} resources done"


def _counts(job: Job) -> list[dict[str, Any]]:
    return [{"name": "done", "valueString": str(job.done)}]


def manifest(job: Job, made: list[File], base: str) -> dict[str, Any]:
    """What an export made, or what an import refused (IG, "Response - Complete Status")."""
    listed: dict[str, Any] = {
        "transactionTime": instant(transaction_time(job.state, job.asked_at)),
        "request": job.parameters["request"],
        "requiresAccessToken": True,
    }
    inputs = job.state.get("inputs") or []
    if job.kind == "import":
        listed["extension"] = {"imported": job.done} | ({"input": inputs} if inputs else {})
    for name in ("output", "deleted", "error"):
        listed[name] = [
            {"type": one.type, "url": f"{base}/jobs/{job.id}/{one.name}", "count": one.count}
            for one in made
            if one.list == name
        ]
    refused = [one["url"] for one in inputs if one["refused"]]
    for file, url in zip(listed["error"], refused, strict=False):
        file["inputUrl"] = url
    return listed


def _response(status: int, content: dict[str, Any], *, expires: Job | None = None) -> Response:
    headers: dict[str, str] = {}
    if expires and expires.expires_at:
        headers["expires"] = expires.expires_at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return Response(encode(content), status, headers, "application/json")


async def _file(request: Request, actor: Actor, job: Job) -> Response:
    db, blobs = _db(request), request.app.state.blobs
    async with db.transaction() as tx:
        made = {one.name: one for one in await files.of_job(tx, job.id) if one.list != "input"}
        wanted = made.get(request.path_params["name"])
        if wanted is None or job.status != "done":
            raise NotFound("job.not-found")
        await audit.record(
            tx,
            actor=actor,
            act="fhir.export-download",
            at=utc_now(),
            resource=f"job/{job.id}/{wanted.name}",
        )
    if request.method == "HEAD":
        return Response(media_type=NDJSON)
    return StreamingResponse(_parts(blobs, wanted.digest), media_type=NDJSON)


async def _parts(blobs: Blobs, digest: str) -> AsyncIterator[bytes]:
    async for part in blobs.stream(digest):
        yield part
