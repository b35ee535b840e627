"""Answers and refusals in SCIM's own form (RFC 7644 §3.12)."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serai.kernel.errors import Conflict, Invalid, Malformed, SeraiError, TooLarge
from serai.network.scim.schemas import ERROR, LIST, MEDIA_TYPE, Data
from serai.web import wording
from serai.web.authentication import signed
from serai.web.errors import words_for
from serai.web.reader import reading_as

LARGEST = 256 * 1024

# RFC 7644 table 9: detail that a client can act upon.
BY_KEY = {
    "scim.filter": "invalidFilter",
    "scim.wrong-path": "invalidPath",
    "scim.no-target": "noTarget",
    "scim.group-is-a-role": "mutability",
    "account.login-taken": "uniqueness",
    "account.feed-id-taken": "uniqueness",
}


def answer(data: Data, *, status: int = 200, version: str = "", location: str = "") -> Response:
    headers = {"ETag": version} if version else {}
    if location:
        headers["Location"] = location
    body = msgspec.json.encode(data)
    return Response(body, status, headers=headers, media_type=MEDIA_TYPE)


def listed(found: list[Data], *, total: int, start: int) -> Response:
    return answer(
        {
            "schemas": [LIST],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": len(found),
            "Resources": found,
        }
    )


async def refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, SeraiError)
    status = _status(error)
    with reading_as(signed(request).reader):
        detail = wording.error_text(error)
    body: Data = {"schemas": [ERROR], "status": str(status), "detail": detail}
    kind = BY_KEY.get(error.key) or _kind(error)
    if kind:
        body["scimType"] = kind
    response = answer(body, status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def body_of(request: Request) -> Data:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise TooLarge("form.too-large")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Malformed("form.unreadable") from error


def _status(error: SeraiError) -> int:
    """SCIM has 400 where the pages say 422."""
    return 400 if isinstance(error, Invalid) else words_for(error).status


def _kind(error: SeraiError) -> str:
    if isinstance(error, Malformed):
        return "invalidSyntax"
    return "invalidValue" if isinstance(error, Invalid) and not isinstance(error, Conflict) else ""
