"""The web boundary: a refusal, missing route or crash becomes one page, toast or JSON answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

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
from serai.kernel.ids import new_id
from serai.web import wording
from serai.web.authentication import NOT_PAGES, SAFE_METHODS, signed, under
from serai.web.headers import ALWAYS
from serai.web.languages import N_, gettext
from serai.web.reader import reading_as
from serai.web.rendering import render, wants_fragment

log = structlog.get_logger()

# Addresses below it hold the secret of a link, which no log may know.
NOT_LOGGED = "/link"


@dataclass(frozen=True, slots=True)
class Words:
    """An HTTP status as a reader meets it."""

    status: int
    title: str


BY_ERROR: dict[type[SeraiError], Words] = {
    Malformed: Words(400, N_("The request could not be read")),
    Unauthenticated: Words(401, N_("Please sign in")),
    Forbidden: Words(403, N_("Not allowed")),
    NotFound: Words(404, N_("Not found")),
    Conflict: Words(409, N_("Changed in the meantime")),
    Gone: Words(410, N_("Deleted")),
    Stale: Words(412, N_("Changed in the meantime")),
    TooLarge: Words(413, N_("Too large")),
    Unsupported: Words(415, N_("Not supported")),
    Invalid: Words(422, N_("Please check the entries")),
    RateLimited: Words(429, N_("Too many attempts")),
    Unavailable: Words(503, N_("Not available just now")),
}
BY_STATUS: dict[int, tuple[str, str]] = {
    404: (N_("Not found"), N_("This page or record is not here, or is not shared with you.")),
    405: (N_("Not supported"), N_("The server does not offer this.")),
}
CRASHED = (
    N_("Something went wrong"),
    N_("The error was noted. If it happens again, tell your administrator this reference:"),
)

Handler = Callable[[Request, Exception], Awaitable[Response]]


def exception_handlers() -> Mapping[Any, Handler]:
    """For the pages' application: `Starlette(exception_handlers=…)`."""
    return {
        SeraiError: _on_serai_error,
        HTTPException: _on_http_exception,
        Exception: _on_crash,
    }


def api_error_handlers() -> Mapping[Any, Handler]:
    """For the JSON application under `/api`."""
    return {SeraiError: _on_serai_error_in_api}


async def refuse(request: Request, error: SeraiError) -> Response:
    """A refusal as a page, a toast for htmx, or JSON outside the pages."""
    if under(request.url.path, NOT_PAGES):
        return _json(request, error)
    if isinstance(error, Unauthenticated):
        return _to_sign_in(request, error)
    words = words_for(error)
    with reading_as(signed(request).reader):
        title, text = gettext(words.title), wording.error_text(error)
    return _page(request, words.status, title, text, headers=_headers(error))


def words_for(error: SeraiError) -> Words:
    for kind in type(error).__mro__:
        if kind in BY_ERROR:
            return BY_ERROR[kind]
    return Words(500, CRASHED[0])


def sign_in_address(request: Request) -> str:
    """The sign-in page that leads back here, when here is a page that can be shown again."""
    if request.method not in SAFE_METHODS or request.url.path == "/":
        return "/signin"
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/signin?next={quote(back, safe='')}"


async def _on_serai_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SeraiError)
    return await refuse(request, error)


async def _on_serai_error_in_api(request: Request, error: Exception) -> Response:
    assert isinstance(error, SeraiError)
    return _json(request, error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title, text = BY_STATUS.get(error.status_code, BY_STATUS[404])
    with reading_as(signed(request).reader):
        title, text = gettext(title), gettext(text)
    return _page(request, error.status_code, title, text, headers=error.headers)


async def _on_crash(request: Request, error: Exception) -> Response:
    """A 500 tells a reference and no detail; the log has the rest under the same reference."""
    reference = new_id()[-12:]
    path = NOT_LOGGED if under(request.url.path, (NOT_LOGGED,)) else request.url.path
    log.error("web.crashed", reference=reference, path=path, exc_info=error)
    with reading_as(signed(request).reader):
        title, text = gettext(CRASHED[0]), gettext(CRASHED[1])
    # Starlette answers crashes outside of every middleware.
    return _page(request, 500, title, text, reference=reference, headers=ALWAYS)


def _page(
    request: Request,
    status: int,
    title: str,
    text: str,
    *,
    reference: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    template, fragment = "error.html", "toast"
    response = render(
        request,
        template,
        status=status,
        fragment=fragment,
        title=title,
        text=text,
        reference=reference,
        code=status,
    )
    response.headers.update(headers or {})
    if wants_fragment(request):
        response.headers.update({"HX-Retarget": "#toasts", "HX-Reswap": "innerHTML"})
    return response


def _json(request: Request, error: SeraiError) -> Response:
    with reading_as(signed(request).reader):
        text = wording.error_text(error)
    body = {"error": {"key": error.key, "text": text}}
    return JSONResponse(body, words_for(error).status, headers=_headers(error))


def _to_sign_in(request: Request, error: Unauthenticated) -> Response:
    again = error.key == "auth.prove-again"
    if "hx-request" in request.headers:
        there = _again_address(request) if again else "/signin"
        return Response(status_code=401, headers={"HX-Redirect": there})
    address = _again_address(request) if again else sign_in_address(request)
    return RedirectResponse(address, status_code=303)


def _again_address(request: Request) -> str:
    """The page that asks for a fresh proof, and leads back to where the act was asked for."""
    page = request.url.path
    if request.method not in SAFE_METHODS:
        page = urlsplit(request.headers.get("referer", "")).path or "/"
    return f"/signin/again?next={quote(page, safe='')}"


def _headers(error: SeraiError) -> dict[str, str]:
    if isinstance(error, RateLimited) and "seconds" in error.details:
        return {"Retry-After": str(error.details["seconds"])}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return {}
