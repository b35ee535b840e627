"""Sign in, sign out, choose a language, start the day on the right page."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serai.kernel.actor import Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import RateLimited, Unauthenticated
from serai.platform import audit
from serai.platform.auth import factors, notices, providers
from serai.platform.auth.accounts import Account, authenticate, set_language
from serai.platform.auth.passkeys import Site
from serai.platform.auth.providers import Provider
from serai.platform.auth.sessions import Came, Session, close_session, open_session
from serai.platform.db import Connection, Database
from serai.web.authentication import LANGUAGE_COOKIE, SESSION_COOKIE, require_actor, signed
from serai.web.forms import Form, parse_form
from serai.web.navigation import home_of
from serai.web.reader import LANGUAGES
from serai.web.rendering import render, see_other

A_YEAR = 365 * 24 * 3600
LONGEST_PATH = 2000


def safe_path(path: str) -> str:
    """The path when it stays on this site, else the start page: no open redirects."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    inside = path.startswith("/") and not path.startswith("//") and len(path) <= LONGEST_PATH
    if not (plain and inside):
        return "/"
    parts = urlsplit(path)
    loops = parts.path in ("/signin", "/signout")
    return "/" if parts.scheme or parts.netloc or loops else path


async def home(request: Request) -> Response:
    actor = require_actor(request)
    if actor.kind is not Kind.STAFF:
        return RedirectResponse("/account", status_code=303)
    navigation = getattr(request.app.state, "navigation", ())
    return RedirectResponse(home_of(actor, navigation), status_code=303)


async def offered(request: Request) -> list[Provider]:
    """The identity providers that one can sign in at."""
    async with request.app.state.db.connection() as c:
        return await providers.everyone(c)


async def show_sign_in(request: Request) -> Response:
    back = safe_path(request.query_params.get("next", "/"))
    if signed(request).actor:
        return RedirectResponse(back, status_code=303)
    session = signed(request).session
    if session and session.awaits:
        return RedirectResponse(next_step(session, back), status_code=303)
    return _show(request, Form.blank(next=back), offered=await offered(request))


async def sign_in(request: Request) -> Response:
    form = await parse_form(request)
    login, password = form.text("login", required=True), form.value("password")
    if not password:
        form.refuse("password", "form.missing")
    if form.errors:
        return _show(request, form, status=422, offered=await offered(request))
    address = address_of(request)
    db: Database = request.app.state.db
    try:
        account = await authenticate(db, login, password, address=address, now=utc_now())
    except (Unauthenticated, RateLimited) as refusal:
        return _refused(request, form, refusal, await offered(request))
    came = Came("password", address=address, agent=request.headers.get("user-agent", ""))
    return await _welcome(request, account, came, safe_path(form.value("next") or "/"))


async def sign_out(request: Request) -> Response:
    await parse_form(request)
    secret = request.cookies.get(SESSION_COOKIE)
    if secret:
        now, actor = utc_now(), signed(request).actor
        async with request.app.state.db.transaction() as tx:
            await close_session(tx, secret, now)
            if actor:
                await audit.record(tx, actor=actor, act="session.close", at=now)
    response = see_other("/signin", flash="sign-in.out", kind="info")
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


async def choose_language(request: Request) -> Response:
    form = await parse_form(request)
    language = form.choice("language", LANGUAGES)
    response = see_other(safe_path(form.value("next")))
    if not language:
        return response
    session = signed(request).session
    if session:
        async with request.app.state.db.transaction() as tx:
            await set_language(tx, session.account.id, language)
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=A_YEAR, httponly=True, samesite="lax")
    return response


def routes() -> list[Route]:
    return [
        Route("/", home, methods=["GET"]),
        Route("/signin", show_sign_in, methods=["GET"]),
        Route("/signin", sign_in, methods=["POST"]),
        Route("/signout", sign_out, methods=["POST"]),
        Route("/language", choose_language, methods=["POST"]),
    ]


def _refused(
    request: Request,
    form: Form,
    refusal: Unauthenticated | RateLimited,
    offered: list[Provider],
) -> Response:
    if isinstance(refusal, RateLimited):
        seconds = int(refusal.details.get("seconds", 60))
        refusal.details["minutes"] = -(-seconds // 60)
        response = _show(request, form, status=429, refusal=refusal, offered=offered)
        response.headers["Retry-After"] = str(seconds)
        return response
    return _show(request, form, status=401, refusal=refusal, offered=offered)


def _show(
    request: Request,
    form: Form,
    *,
    status: int = 200,
    refusal: Unauthenticated | RateLimited | None = None,
    offered: list[Provider],
) -> Response:
    return render(
        request,
        "signin.html",
        status=status,
        form=form,
        refusal=refusal,
        passkeys=site_of(request) is not None,
        providers=offered,
    )


async def _welcome(request: Request, account: Account, came: Came, back: str) -> Response:
    db: Database = request.app.state.db
    now = utc_now()
    async with db.transaction() as tx:
        came = replace(came, awaits=await factors.awaited(tx, account.id))
        secret, session = await open_session(tx, account.id, now, came)
        await audit.record(tx, actor=session.actor, act="session.open", at=now)
        news = None if session.awaits else await news_for(tx, account.id)
    response = see_other(next_step(session, back), flash=news, kind="warning")
    keep_secret(request, response, secret)
    return response


async def news_for(c: Connection, account_id: str) -> str | None:
    """What to say first to somebody to whose account something happened."""
    return "notice.waiting" if await notices.waiting(c, account_id) else None


def next_step(session: Session, back: str) -> str:
    """Where somebody goes whose session still awaits something; else where they wanted to."""
    if session.awaits == "factor":
        return f"/signin/second?next={quote(back, safe='')}"
    return "/account/factors" if session.awaits == "enrolment" else back


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def keep_secret(request: Request, response: Response, secret: str) -> None:
    """The browser carries the session's secret from now on."""
    response.set_cookie(
        SESSION_COOKIE, secret, httponly=True, samesite="lax", secure=_over_https(request)
    )


def site_of(request: Request) -> Site | None:
    """Who we are to the browser's passkeys; None under an address that can have none.

    WebAuthn knows sites by name, so a numeric address has no passkeys; `localhost` stands for
    this machine while nothing else is configured.
    """
    settings = getattr(request.app.state, "settings", None)
    public = urlsplit(settings.public_url if settings else "")
    host = request.url.hostname or ""
    if request.url.netloc == public.netloc and not _numeric(host):
        return Site(host, f"{public.scheme}://{public.netloc}")
    if host == "localhost" and _numeric(public.hostname or ""):
        return Site(host, f"{request.url.scheme}://{request.url.netloc}")
    return None


def _numeric(host: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(host))
    return False


def _over_https(request: Request) -> bool:
    settings = getattr(request.app.state, "settings", None)
    public = settings.public_url if settings else ""
    return request.url.scheme == "https" or public.startswith("https:")
