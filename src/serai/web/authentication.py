"""Who knocks: bearer token or session cookie to actor, before any handler runs; deny by default.

FHIR and DICOMweb refuse in their own formats, so their requests are let through without an actor
and `require_actor` raises there; everything else that is not allowed stops here, except the
sign-in page, health, static files, links to a study and the CapabilityStatement.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, SeraiError, Unauthenticated
from serai.platform.auth.sessions import Session, session_actor
from serai.platform.auth.tokens import token_actor
from serai.platform.db import Database
from serai.web.languages import choose
from serai.web.reader import Reader, reading_as

SESSION_COOKIE = "serai_session"
LANGUAGE_COOKIE = "serai_language"
ZONE_COOKIE = "serai_zone"

ANONYMOUS = frozenset(
    {
        "/signin",
        "/signin/passkey",
        "/signin/passkey/question",
        "/language",
        "/healthz",
        "/readyz",
        "/fhir/metadata",
        "/favicon.ico",
        "/oauth/authorize",
        "/oauth/introspect",
        "/oauth/keys",
        "/oauth/revoke",
        "/oauth/token",
        "/.well-known/openid-configuration",
        "/fhir/.well-known/smart-configuration",
    }
)
# Apps prove themselves there in their own way; a session that a browser brings along is nothing.
UNSIGNED = ("/oauth/authorize", "/oauth/introspect", "/oauth/revoke", "/oauth/token")
# Where an app may go that somebody lets act for them: to the record, not to the pages.
FOR_APPS = ("/fhir", "/oauth/userinfo")
PICTURES_FOR_APPS = "/dicomweb/studies"
# What is under the last is for whoever holds a link, and checked there.
ANONYMOUS_UNDER = ("/static/", "/link/", "/signin/with/")
# What a session may reach that still awaits a second factor, or the enrolment of one.
WHILE_AWAITING = {
    "factor": ("/signin/second", "/signout"),
    "enrolment": ("/account/factors", "/signin/again", "/signout"),
}
# Where people may go who are no staff: their account, and reading and searching the record.
FOR_OUTSIDERS = ("/account", "/oauth", "/signout", "/signin", "/language", "/static")
RECORD = re.compile(r"/fhir/[A-Z]\w*(/[\w.-]+)?", re.ASCII)
ENGINES = ("/fhir", "/dicomweb", "/scim")
NOT_PAGES = (*ENGINES, "/api")

NOBODY_READS = Reader()

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(slots=True)
class Signed:
    """What the middleware found out about one request."""

    actor: Actor | None
    session: Session | None
    reader: Reader
    form_secret_pending: bool = False
    refusal: SeraiError | None = None


Refuse = Callable[[Request, SeraiError], Awaitable[Response]]


class Authentication:
    """Sets `request.state.actor`, `.session`, `.language`; refuses what nobody signed in may do."""

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # Nobody is known there yet, so nothing is open there either.
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        who = await authenticate(request)
        scope.setdefault("state", {}).update(
            signed=who, actor=who.actor, session=who.session, language=who.reader.language
        )
        if who.refusal and not under(scope["path"], ENGINES):
            response = await self.refuse(request, who.refusal)
            await response(scope, receive, send)
            return
        # Handlers that word something before they render speak the reader's language too.
        with reading_as(who.reader):
            await self.app(scope, receive, send)


async def authenticate(connection: HTTPConnection) -> Signed:
    """Who asks, without an actor where they may not; `refusal` then says why."""
    who = await _who(connection)
    who.refusal = _refusal(connection, who, connection.scope["path"])
    if who.refusal:
        who.actor = None
    return who


def signed(request: Request) -> Signed:
    """The middleware's finding; an unknown reader when the request never passed it."""
    found = getattr(request.state, "signed", None)
    return found if found is not None else Signed(None, None, _reader(request, None))


def require_actor(request: Request) -> Actor:
    who = signed(request)
    if who.actor is None:
        raise who.refusal or Unauthenticated("auth.required")
    return who.actor


def require_session(request: Request) -> Session:
    """Somebody at a browser, even before everything that the sign-in asks is answered."""
    session = signed(request).session
    if session is None:
        raise Unauthenticated("auth.required")
    return session


def require_staff(request: Request, *roles: str) -> Actor:
    """A person of the network, in one of the roles when any are named."""
    actor = require_actor(request)
    if actor.kind is not Kind.STAFF or (roles and actor.role not in roles):
        raise Forbidden("auth.role", role=actor.role)
    return actor


def from_this_site(connection: HTTPConnection) -> bool:
    """Whether a browser says that the request started on our own pages (Fetch Metadata, Origin)."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    settings = getattr(connection.app.state, "settings", None)
    public = urlsplit(settings.public_url).netloc if settings else ""
    return urlsplit(origin).netloc in (connection.headers.get("host"), public)


async def _who(connection: HTTPConnection) -> Signed:
    if connection.scope["path"] in UNSIGNED:
        return Signed(None, None, _reader(connection, None))
    db: Database = connection.app.state.db
    scheme, _, secret = _authorization(connection).partition(" ")
    if scheme.lower() == "bearer":
        # Machines read no pages: the busiest requests skip choosing a language.
        return Signed(await token_actor(db, secret.strip(), utc_now()), None, NOBODY_READS)
    cookie = connection.cookies.get(SESSION_COOKIE)
    session = await session_actor(db, cookie, utc_now()) if cookie else None
    actor = session.actor if session and session.awaits is None else None
    return Signed(actor, session, _reader(connection, session))


def _authorization(connection: HTTPConnection) -> str:
    """Without the objects Starlette makes of headers: every request passes here."""
    for name, value in connection.scope["headers"]:
        if name == b"authorization":
            return str(value.decode("latin-1"))
    return ""


def _reader(connection: HTTPConnection, session: Session | None) -> Reader:
    cookies = connection.cookies
    chosen = (session.language if session else None, cookies.get(LANGUAGE_COOKIE))
    language = choose(chosen, connection.headers.get("accept-language", ""))
    return Reader(
        language=language,
        zone=_zone(cookies.get(ZONE_COOKIE, "")),
        csrf=session.csrf if session else "",
    )


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name if name in _zones() else "UTC")


def _refusal(connection: HTTPConnection, who: Signed, path: str) -> SeraiError | None:
    open_to_all = path in ANONYMOUS or path.startswith(ANONYMOUS_UNDER) or _awaited(who, path)
    if who.actor is None and not open_to_all:
        return Unauthenticated("auth.required")
    if who.actor is not None and who.actor.kind in (Kind.PATIENT, Kind.PARTNER):
        refusal = _outsider(connection, who.actor, path)
        if refusal:
            return refusal
    if who.actor is not None and who.actor.app is not None and not _for_apps(connection, path):
        return Forbidden("auth.role", role=who.actor.role)
    if who.session is not None and connection.scope["method"] not in SAFE_METHODS:
        return _forgery(connection, who, path)
    return None


def _for_apps(connection: HTTPConnection, path: str) -> bool:
    pictures = connection.scope["method"] in SAFE_METHODS and under(path, (PICTURES_FOR_APPS,))
    return pictures or under(path, FOR_APPS)


def _outsider(connection: HTTPConnection, actor: Actor, path: str) -> SeraiError | None:
    if path == "/" or under(path, FOR_OUTSIDERS):
        return None
    reads = connection.scope["method"] in SAFE_METHODS and RECORD.fullmatch(path)
    return None if reads or path in ANONYMOUS else Forbidden("auth.role", role=actor.role)


def _awaited(who: Signed, path: str) -> bool:
    awaits = who.session.awaits if who.session else None
    return awaits is not None and under(path, WHILE_AWAITING[awaits])


def under(path: str, prefixes: tuple[str, ...]) -> bool:
    return any(path == prefix or path.startswith(prefix + "/") for prefix in prefixes)


def _forgery(connection: HTTPConnection, who: Signed, path: str) -> SeraiError | None:
    """The session's secret must come as a header; only page forms may bring it as a field,
    which `parse_form` then checks."""
    if not from_this_site(connection):
        return Forbidden("form.foreign")
    sent = connection.headers.get("x-csrf-token")
    if sent is not None:
        return None if is_form_secret(who, sent) else Forbidden("form.expired")
    if _is_form(connection.headers) and not under(path, NOT_PAGES):
        who.form_secret_pending = True
        return None
    return Forbidden("form.expired")


def is_form_secret(who: Signed, sent: str) -> bool:
    expected = who.session.csrf if who.session else ""
    return bool(expected) and secrets.compare_digest(sent.encode(), expected.encode())


def _is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").lower().startswith(FORM_TYPES)
