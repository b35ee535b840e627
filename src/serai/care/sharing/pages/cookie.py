"""What a browser that has opened a link brings along."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from serai.care.sharing.model import VISIT

COOKIE = "serai_visit"
UNDER = "/link"


def browser_of(request: Request) -> str:
    return request.cookies.get(COOKIE, "")


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def put(response: Response, request: Request, secret: str) -> None:
    """Sent only to what is under /link, and readable by no script."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(VISIT.total_seconds()),
        path=UNDER,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
