"""Forms that apps send: small, plain, each parameter once (RFC 6749 §3.1, §3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from serai.kernel.errors import Malformed

TYPE = "application/x-www-form-urlencoded"
LARGEST = 64 * 1024
MOST_FIELDS = 50


async def sent(request: Request) -> Mapping[str, str]:
    """The body's parameters; Malformed when they are not sound."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != TYPE:
        raise Malformed("app.request")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise Malformed("app.request")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS,
            errors="strict",
        )  # fmt: skip
    except ValueError as error:
        raise Malformed("app.request") from error
    return once(pairs)


def once(pairs: list[tuple[str, str]]) -> Mapping[str, str]:
    """Malformed when a name comes twice, or a value is none that can be kept."""
    given = dict(pairs)
    if len(given) != len(pairs) or any("\0" in one for one in given.values()):
        raise Malformed("app.request")
    return given
