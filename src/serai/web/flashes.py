"""One message carried over a redirect: a cookie with a kind and a message key, never text."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from serai.web import wording

COOKIE = "serai_flash"
KINDS = frozenset({"success", "info", "warning", "danger"})


@dataclass(frozen=True, slots=True)
class Flash:
    kind: str
    key: str


def put(response: Response, key: str, kind: str) -> None:
    response.set_cookie(COOKIE, f"{kind}.{key}", max_age=60, httponly=True, samesite="lax")


def take(request: Request) -> Flash | None:
    """The message for this page; a key we do not know cannot put words in our mouth."""
    kind, _, key = request.cookies.get(COOKIE, "").partition(".")
    return Flash(kind, key) if kind in KINDS and wording.known(key) else None


def clear(response: Response) -> None:
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
