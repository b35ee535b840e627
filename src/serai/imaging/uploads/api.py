"""`/api/uploads`: tus 1.0 (creation, checksum, expiration, termination), handing over, asking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from email.utils import format_datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from serai.imaging.dicomweb.answers import may
from serai.imaging.uploads import handing, known, records, words
from serai.imaging.uploads.parts import Parts
from serai.imaging.uploads.protocol import (
    ALGORITHMS,
    CONTENT_TYPE,
    EXTENSIONS,
    VERSION,
    Checksum,
    ChecksumMismatch,
    described,
    whole,
)
from serai.imaging.uploads.receiving import Target, received
from serai.imaging.uploads.records import Upload
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, SeraiError, Unsupported
from serai.platform.db import Database
from serai.web import errors, wording

router = APIRouter(prefix="/uploads", tags=["uploads"])
Handler = Callable[..., Awaitable[Response]]
UID = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]


class InstanceIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    uid: UID
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""


class AskedIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    instances: Annotated[list[InstanceIn], Field(max_length=5000)]


class HandedIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    uploads: Annotated[list[str], Field(min_length=1, max_length=100)]


def speaking_tus(handler: Handler) -> Handler:
    """Refuses other versions of the protocol, and says in every answer which one this is."""

    @wraps(handler)
    async def answer(request: Request, **given: Any) -> Response:
        try:
            response = await _understood(handler, request, given)
        except ChecksumMismatch as error:
            body = {"error": {"key": error.key, "text": wording.error_text(error)}}
            response = JSONResponse(body, 460)
        except SeraiError as error:
            response = await errors.refuse(request, error)
        response.headers.update({"Tus-Resumable": VERSION, "Cache-Control": "no-store"})
        return response

    return answer


async def _understood(handler: Handler, request: Request, given: dict[str, Any]) -> Response:
    if request.headers.get("tus-resumable") != VERSION:
        return Response(status_code=412, headers={"Tus-Version": VERSION})
    return await handler(request, **given)


@router.options("", summary="What of tus is spoken here")
async def abilities(request: Request) -> Response:
    return Response(
        status_code=204,
        headers={
            "Tus-Resumable": VERSION,
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(_largest(request)),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        },
    )


@router.post("", status_code=201, summary="Begin an upload, or find the one begun before")
@speaking_tus
async def create(request: Request) -> Response:
    """The same `sha256` or `fingerprint` in Upload-Metadata gives the same upload again: go on
    from its Upload-Offset."""
    actor, now = may(request, "c"), utc_now()
    wanted = described(request.headers, largest=_largest(request))
    parts = _parts(request)
    async with _db(request).transaction() as tx:
        upload, gone = await records.begin(tx, wanted, actor=actor, now=now)
    for id in gone:
        await asyncio.to_thread(parts.remove, id)
    if not await asyncio.to_thread(parts.path(upload.id).exists):
        await asyncio.to_thread(parts.create, upload.id, upload.length)
    offset = await asyncio.to_thread(parts.size, upload.id)
    if request.headers.get("content-type") == CONTENT_TYPE and not offset:
        offset = await _take_in(request, upload, 0)
    headers = {"Location": f"/api/uploads/{upload.id}", **_state(upload, offset)}
    return Response(status_code=201, headers=headers)


@router.head("/{upload}", summary="How much of it is here")
@speaking_tus
async def offset(request: Request, upload: str) -> Response:
    found = await _found(request, upload, may(request, "c"))
    here = found.length if found.result is not None else await _size(request, upload)
    return Response(status_code=200, headers=_state(found, here))


@router.patch("/{upload}", status_code=204, summary="The next bytes of it")
@speaking_tus
async def append(request: Request, upload: str) -> Response:
    found = await _found(request, upload, may(request, "c"))
    if request.headers.get("content-type") != CONTENT_TYPE:
        raise Unsupported("uploads.content-type")
    if found.result is not None:
        raise Conflict("uploads.offset", offset=found.length)
    at = whole(request.headers.get("upload-offset"), "uploads.offset-missing")
    here = await _take_in(request, found, at)
    async with _db(request).connection() as connection:
        expires_at = await records.touch(connection, upload, now=utc_now())
    return Response(status_code=204, headers=_state(found, here, expires_at))


@router.delete("/{upload}", status_code=204, summary="Give it up")
@speaking_tus
async def terminate(request: Request, upload: str) -> Response:
    actor = may(request, "c")
    await _found(request, upload, actor)
    async with _db(request).connection() as connection:
        gone = await records.remove(connection, [upload], actor=actor, now=utc_now())
    for id in gone:
        await asyncio.to_thread(_parts(request).remove, id)
    return Response(status_code=204)


@router.get("", summary="Your unfinished uploads for one page or errand")
async def unfinished(
    request: Request, purpose: Annotated[str, Query(alias="for", max_length=500)] = ""
) -> list[dict[str, Any]]:
    actor, parts = may(request, "c"), _parts(request)
    async with _db(request).connection() as connection:
        found = await records.unfinished(connection, purpose, actor=actor, now=utc_now())
    return await asyncio.to_thread(_listed, parts, found)


@router.post("/store", summary="Hand complete uploads over to the archive")
async def store(request: Request, body: HandedIn) -> dict[str, Any]:
    """What became of each object: `kept`, `already` there, or `refused` and why."""
    state = request.app.state
    ids = list(dict.fromkeys(body.uploads))
    results = await handing.store(
        state.db, state.archive, _home(request), ids, actor=may(request, "c"), now=utc_now()
    )
    return {"uploads": [words.told(each) for each in results]}


@router.post("/missing", summary="Which of these objects are not here")
async def missing(request: Request, body: AskedIn) -> dict[str, list[str]]:
    wanted = {each.uid: each.sha256 for each in body.instances}
    return {"missing": await known.missing(_db(request), wanted, actor=may(request, "r"))}


async def _take_in(request: Request, upload: Upload, at: int) -> int:
    checksum, parts = Checksum.of(request.headers.get("upload-checksum")), _parts(request)
    token = await asyncio.to_thread(parts.take, upload.id, at)
    target = Target(parts, upload.id, token, at, upload.length - at)
    return await received(target, request.stream(), checksum)


async def _found(request: Request, id: str, actor: Actor) -> Upload:
    async with _db(request).connection() as connection:
        return (await records.find(connection, [id], actor=actor, now=utc_now()))[0]


async def _size(request: Request, id: str) -> int:
    return await asyncio.to_thread(_parts(request).size, id)


def _listed(parts: Parts, found: list[Upload]) -> list[dict[str, Any]]:
    return [
        {
            "id": each.id,
            "filename": each.filename,
            "length": each.length,
            "offset": parts.size(each.id),
            "expires_at": each.expires_at.isoformat(),
        }
        for each in found
        if parts.path(each.id).exists()
    ]


def _state(upload: Upload, offset: int, expires_at: datetime | None = None) -> dict[str, str]:
    return {
        "Upload-Offset": str(offset),
        "Upload-Length": str(upload.length),
        "Upload-Expires": format_datetime(expires_at or upload.expires_at, usegmt=True),
    }


def _largest(request: Request) -> int:
    most: int = request.app.state.settings.upload_most_mb
    return most << 20


def _parts(request: Request) -> Parts:
    return Parts(_home(request))


def _home(request: Request) -> Path:
    home: Path = request.app.state.settings.home
    return home


def _db(request: Request) -> Database:
    db: Database = request.app.state.db
    return db
