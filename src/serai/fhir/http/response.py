"""Interaction to HTTP response: status, versioning headers and the stored bytes."""

from __future__ import annotations

from datetime import UTC
from email.utils import format_datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serai.fhir import outcome
from serai.fhir.interaction.asked import Reply
from serai.kernel.errors import RateLimited, SeraiError, Unauthenticated, Unavailable

MEDIA_TYPE = "application/fhir+json; charset=utf-8"
# Records must not stay behind in a browser or proxy.
PRIVATE = {"cache-control": "no-store"}


def responded(request: Request, reply: Reply) -> Response:
    headers = {**PRIVATE, **dict(reply.headers)}
    if reply.stored is not None:
        headers["etag"] = reply.etag or ""
        headers["last-modified"] = format_datetime(
            reply.stored.last_updated.astimezone(UTC), usegmt=True
        )
    if reply.location is not None:
        headers["location"] = reply.location
    return _response(request, reply.status, reply.content, headers)


def refused(request: Request, error: SeraiError) -> Response:
    headers = dict(PRIVATE)
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = 'Bearer realm="serai"'
    if isinstance(error, RateLimited | Unavailable):
        headers["retry-after"] = str(error.details.get("seconds", 1))
    if "allow" in error.details:
        headers["allow"] = str(error.details["allow"])
    return _response(request, outcome.status_of(error), outcome.of_error(error), headers)


def _response(
    request: Request, status: int, content: bytes | None, headers: dict[str, str]
) -> Response:
    if content is None:
        return Response(status_code=status, headers=headers)
    if request.query_params.get("_pretty") == "true":
        content = msgspec.json.format(content, indent=2)
    response = Response(content, status, headers, MEDIA_TYPE)
    if request.method == "HEAD":
        response.body = b""
    return response
