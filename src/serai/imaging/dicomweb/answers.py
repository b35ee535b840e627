"""Responses of the DICOMweb boundary: JSON, refusals, cache rules."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from serai.imaging import reasons
from serai.imaging.archive.recalling import require_hot
from serai.imaging.dicomweb.accept import acceptable, first_covering
from serai.imaging.dicomweb.ranges import NotInRange
from serai.kernel.actor import Actor
from serai.kernel.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    Malformed,
    NotFound,
    RateLimited,
    SeraiError,
    Stale,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from serai.web.authentication import require_actor

ROOT = "/dicomweb"
DICOM_JSON = "application/dicom+json"
# Whether a study may be seen can change at any time, so a browser asks again, and is told 304.
CACHE = {
    "Cache-Control": "private, no-cache",
    "Vary": "Accept, Accept-Encoding, Authorization, Cookie",
}
COMPRESS_FROM = 1024


BY_ERROR: dict[type[SeraiError], int] = {
    Malformed: 400,
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Gone: 404,
    Conflict: 409,
    Stale: 412,
    TooLarge: 413,
    Unsupported: 406,
    RateLimited: 429,
    Unavailable: 503,
    NotInRange: 416,
}

# For whoever writes a client: what the key means.
REASONS = {
    "auth.required": "Send a bearer token or sign in",
    "dicomweb.no-such-resource": "No such DICOMweb resource",
    "dicomweb.not-acceptable": "Only DICOM JSON is offered",
    "imaging.held": "A legal hold keeps the study",
    "imaging.hold-without-reason": "A hold needs a reason of at most 500 letters",
    "imaging.no-such-hold": "There is no such hold, or it is released",
    "imaging.rule-of-another": "The rule is for others to set",
    "imaging.rule-out-of-range": "The number is out of range",
    "imaging.rule-stands": "A rule may be made longer, never shorter or lifted",
    "imaging.recalling": "The study is fetched from cold storage; ask again in some seconds",
    "imaging.damaged": "Some of its bytes are not those that were stored",
    "imaging.no-cold-place": "SERAI_BLOBS_COLD is not set",
    "imaging.retained": "A retention rule keeps it until the day given",
    "imaging.not-in-the-trash": "Nothing in the trash has this id",
    "imaging.not-yours-to-change": "Only the organisation whose study it is may change it",
    "imaging.sent-again": "Some of it was sent again since it was deleted",
    "imaging.study-deleted": "The study itself was deleted later; restore that first",
    "imaging.scope": "The scopes of the token do not allow this on ImagingStudy",
    "multipart.no-boundary": "The multipart Content-Type has no boundary",
    "multipart.not-related": "The request is not multipart/related",
    "imaging.not-corrected": "The study is as it was sent",
    "patient.fields": "PatientID and no fields but those listed",
    "patient.not-json": "The request is not a JSON object",
    "patient.value": "The value does not fit the attribute",
    "qido.cannot-search-by": "The attribute exists, but this server cannot search by it",
    "qido.not-a-number": "limit and offset are natural numbers",
    "qido.not-at-this-level": "The attribute belongs to a lower level than the one searched",
    "qido.unknown-parameter": "Neither an attribute keyword or tag, nor a QIDO-RS parameter",
    "qido.value": "The value cannot be matched with this attribute",
    "rendering.film": "This is a film; ask for video/mp4, or for one of its frames",
    "rendering.no-paper": "The object encloses no PDF document",
    "rendering.no-pixels": "The instance has no pixel data to render",
    "rendering.undecodable": "The pixel data cannot be decoded",
    "rendering.number": "The number is outside the range that can be drawn",
    "rendering.one-frame": "One frame at a time is rendered",
    "rendering.parameter": "This rendering parameter is not supported",
    "rendering.presentation-broken": "The presentation state cannot be applied",
    "rendering.presentation-kind": "This kind of presentation state is not applied here",
    "rendering.viewport": "viewport is width,height or width,height,x,y,w,h",
    "rendering.window": "window is centre,width,function",
    "report.too-long": "The report has more items than can be shown",
    "stow.media-type": "Stored is multipart/related of application/dicom or dicom+json",
    "stow.no-parts": "The request has no parts",
    "ups.ae-title": "An AE title has 1 to 16 printable characters",
    "ups.another-uid": "The data set names another UID than the address",
    "ups.attribute": "The attribute is not valid DICOM JSON for its VR",
    "ups.exists": "There is a workitem with this UID",
    "ups.filter": "The filtered worklist needs filter=key=value,…; nothing else takes it",
    "ups.media-type": "Workitems are sent as application/dicom+json",
    "ups.missing": "Required attributes are missing or empty (PS3.4 Table CC.2.5-3)",
    "ups.nested-too-deeply": "Sequences are nested too deeply",
    "ups.no-such-subscription": "There is no such subscription",
    "ups.not-an-attribute": "Not the tag of an attribute that a workitem can have",
    "ups.not-at-creation": "The attributes are empty in a new workitem",
    "ups.not-global": "Only the worklist and the filtered worklist can be suspended",
    "ups.not-json": "The request is not one DICOM JSON data set",
    "ups.not-of-a-cancellation": "A request to cancel says why and whom to ask, nothing else",
    "ups.not-of-a-state-change": "A change of state says the state and the Transaction UID",
    "ups.not-scheduled": "A workitem is created SCHEDULED",
    "ups.not-to-be-set": "The attributes cannot be changed once the workitem is created",
    "ups.no-such-state": "The states to ask for are IN PROGRESS, COMPLETED and CANCELED",
    "ups.parameter": "The address has a parameter that is not known here",
    "ups.scope": "The scopes of the token do not allow this on Task, which stands for workitems",
    "ups.too-large": "The data set is larger than a workitem may be",
    "ups.too-many-subscribers": "The organisation has as many global subscribers as it may",
    "ups.uid": "Not a UID that a workitem can have",
    "ups.value": "The attribute takes other values, or one only",
    "video.being-made": "The film is being prepared; ask again in a few seconds",
    "wado.no-pixel-data": "The instance has no pixel data",
    "wado.no-such-frame": "The instance has no such frame",
    "wado.not-acceptable": "None of the accepted media types can be given",
    "wado.nothing-there": "Not found, or not visible to you",
    "wado.parameter": "This WADO-URI parameter is not supported",
    "wado.parameter-missing": "A required WADO-URI parameter is missing",
    "wado.range": "The range begins behind the end",
    "wado.transfer-syntax": "The instance is not available in this transfer syntax",
    "wado.undecodable": "The pixel data cannot be decoded",
}

Handler = Callable[[Request], Awaitable[Response]]


def answering(handler: Handler) -> Handler:
    """Turn a refusal into its HTTP status with the reason (PS3.18 §8.6)."""

    async def answer(request: Request) -> Response:
        try:
            return await _or_recall(request, handler)
        except SeraiError as error:
            return refusal(error, sent=request.method == "POST")

    return answer


async def _or_recall(request: Request, handler: Handler) -> Response:
    """Bytes that are not at hand may lie in the cold place, from where they are fetched."""
    try:
        return await handler(request)
    except NotFound as error:
        study = request.path_params.get("study") or request.query_params.get("studyUID")
        if error.key != "blob.missing" or study is None:
            raise
        await require_hot(request.app.state.db, study, actor=require_actor(request))
        raise


def refusal(error: SeraiError, *, sent: bool) -> Response:
    """`sent`: what cannot be dealt with was sent to us, rather than asked of us."""
    status = next(BY_ERROR[kind] for kind in type(error).__mro__ if kind in BY_ERROR)
    if sent and isinstance(error, Unsupported):
        status = 415
    content: dict[str, Any] = {"error": error.key, "details": error.details}
    reason = REASONS.get(error.key)
    if error.key in reasons.FAILURES:
        reason = reasons.failure(error)[1]
    if reason:
        content["reason"] = reason
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, NotInRange):
        headers["Content-Range"] = f"bytes */{error.details['size']}"
    if "seconds" in error.details and status in (429, 503):
        headers["Retry-After"] = str(error.details["seconds"])
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(content, default=str), status, headers, "application/json")


def may(request: Request, interaction: str) -> Actor:
    """The actor, who needs the scope on ImagingStudy, which stands for its pictures."""
    actor = require_actor(request)
    if not actor.may(interaction, "ImagingStudy"):
        raise Forbidden("imaging.scope", interaction=interaction)
    return actor


def require_json(request: Request) -> None:
    """JSON is the one form of metadata this server speaks; XML it does not."""
    if first_covering(acceptable(request), DICOM_JSON, "application/json") is None:
        raise Unsupported("dicomweb.not-acceptable", offered=[DICOM_JSON])


def dicom_json(request: Request, content: bytes, *, media_type: str = DICOM_JSON) -> Response:
    """JSON with a validator; compressed where the client can, for slow lines."""
    etag = f'"{blake2b(content, digest_size=16).hexdigest()}"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    if len(content) >= COMPRESS_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=media_type)


def not_modified(request: Request, etag: str) -> bool:
    offered = request.headers.get("if-none-match", "")
    return offered == "*" or etag in offered


def dicomweb_root(request: Request) -> str:
    """The public address of the service, for Retrieve URLs and bulk data."""
    settings, scope = request.app.state.settings, request.scope
    base = settings.base_url or str(request.base_url)
    mounted = scope["root_path"].removeprefix(scope.get("app_root_path", ""))
    # Routes beside the mounted ones have no root of their own.
    return f"{base.rstrip('/')}{mounted if mounted.endswith(ROOT) else ROOT}"
