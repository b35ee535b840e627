"""Interaction to HTTP response: status, versioning headers and the stored bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime

import msgspec
from starlette.requests import Request

from serai.fhir import outcome
from serai.fhir.interaction.asked import Reply
from serai.kernel.errors import RateLimited, SeraiError, Unauthenticated, Unavailable

Header = tuple[bytes, bytes]

# Answers are data: nothing in them may run, be framed, guessed at or kept (R4 §6.1.0).
ALWAYS: list[Header] = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]
OVER_HTTPS: list[Header] = [*ALWAYS, (b"strict-transport-security", b"max-age=31536000")]

MEDIA_TYPE = "application/fhir+json; charset=utf-8"
JSON: Header = (b"content-type", MEDIA_TYPE.encode())


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out; the headers tell the length of the body even where HEAD gets none."""

    status: int
    headers: list[Header]
    body: bytes = b""

    @classmethod
    def empty(cls, status: int) -> Answer:
        return cls(status, [(b"content-length", b"0")])


def responded(request: Request, reply: Reply) -> Answer:
    headers: list[Header] = [
        (name.encode("ascii"), value.encode("latin-1")) for name, value in reply.headers
    ]
    if reply.stored is not None:
        changed = format_datetime(reply.stored.last_updated.astimezone(UTC), usegmt=True)
        headers.append((b"etag", b'W/"%d"' % reply.stored.version))
        headers.append((b"last-modified", changed.encode("ascii")))
    if reply.location is not None:
        headers.append((b"location", reply.location.encode("ascii")))
    return _answer(request, reply.status, reply.content, headers)


def refused(request: Request, error: SeraiError) -> Answer:
    headers: list[Header] = []
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="serai"'))
    if isinstance(error, RateLimited | Unavailable):
        headers.append((b"retry-after", b"%d" % error.details.get("seconds", 1)))
    if "allow" in error.details:
        headers.append((b"allow", str(error.details["allow"]).encode("ascii")))
    return _answer(request, outcome.status_of(error), outcome.of_error(error), headers)


def _answer(request: Request, status: int, content: bytes | None, headers: list[Header]) -> Answer:
    if content is None:
        if status not in (204, 304):
            headers.append((b"content-length", b"0"))
        return Answer(status, headers)
    if b"_pretty=true" in request.scope["query_string"]:
        content = msgspec.json.format(content, indent=2)
    headers.append((b"content-length", b"%d" % len(content)))
    headers.append(JSON)
    return Answer(status, headers, b"" if request.method == "HEAD" else content)
