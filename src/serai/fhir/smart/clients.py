"""How an app proves itself (RFC 6749 §2.3, RFC 7523): nothing but its name, a secret, or a
statement signed by its key; always in the one way it is registered for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serai.fhir.smart import addresses
from serai.fhir.smart.forms import sent
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed, RateLimited, SeraiError
from serai.platform import addresses as network
from serai.platform import audit
from serai.platform.auth import throttle
from serai.platform.auth.apps import assertions, fetching, grants, registry
from serai.platform.auth.apps.refusing import Refused
from serai.platform.auth.apps.registry import App
from serai.platform.db import Database
from serai.web.signin import address_of


@dataclass(frozen=True, slots=True)
class Proof:
    """`claims` are those of the assertion, which must still be used up."""

    app: App
    claims: dict[str, Any] | None = None


Answer = Callable[[Request, Mapping[str, str], Proof], Awaitable[Response]]


async def told(request: Request, answer: Answer) -> Response:
    """The answer to an app that proved itself, or why there is none."""
    now = utc_now()
    try:
        given = await sent(request)
        name = _claimed(request, given) or await _of_refresh_token(request, given)
        app = await _named(request, name)
        tried = _knock(request, app, name)
        if tried:
            await throttle.count_try(request.app.state.db, tried, now)
        response = await answer(request, given, await proved(request, given, app, now))
        if tried:
            async with request.app.state.db.transaction() as tx:
                await throttle.forgive(tx, tried, now)
    except Refused as refusal:
        await _note(request, refusal, now)
        return _refused(request, refusal)
    except RateLimited as refusal:
        seconds = str(refusal.details.get("seconds", 60))
        body = {"error": "temporarily_unavailable", "error_description": "Too many tries."}
        return JSONResponse(body, 429, headers={"Retry-After": seconds})
    except Malformed as refusal:
        return _refused(request, Refused("invalid_request", refusal.key))
    return response


async def proved(
    request: Request, given: Mapping[str, str], app: App | None, now: datetime
) -> Proof:
    """The app, by the method it is registered for and no other."""
    if app is None:
        raise Refused("invalid_client", "The app is not known.")
    method = _method(request, given)
    if method != app.method:
        raise Refused("invalid_client", f"This app proves itself by {app.method}.")
    if method == "client_secret_basic" and not app.knows(_basic(request)[1]):
        raise Refused("invalid_client", "The secret is wrong.")
    if method != "private_key_jwt":
        return Proof(app)
    claims = await _asserted(request, app, given["client_assertion"], now)
    return Proof(app, claims)


async def _of_refresh_token(request: Request, given: Mapping[str, str]) -> str:
    """Apps without a secret often send the token alone; it says whose it is."""
    async with request.app.state.db.connection() as c:
        return await grants.app_of_refresh(c, required(given, "refresh_token"))


async def _named(request: Request, name: str) -> App | None:
    async with request.app.state.db.connection() as c:
        return await registry.usable(c, name)


def _knock(request: Request, app: App | None, name: str) -> throttle.Knock | None:
    """Signatures of a key that is kept here are not guessed, and cost nobody else a request."""
    if app is not None and app.jwks is not None:
        return None
    where = address_of(request)
    return throttle.knock(f"app {name} from {where}", where)


def required(given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise Refused("invalid_request", f"{name} is missing.")
    return given[name]


def app_actor(app: App) -> Actor:
    """The app as who acts, in the audit."""
    return Actor(app.id, Kind.MACHINE, app.name, "system", app.organisation, app=app.id)


def _method(request: Request, given: Mapping[str, str]) -> str:
    ways = [
        name
        for name, used in (
            ("client_secret_basic", "authorization" in request.headers),
            ("private_key_jwt", "client_assertion" in given),
            ("client_secret_post", "client_secret" in given),
        )
        if used
    ]
    if len(ways) > 1:
        raise Refused("invalid_request", "Prove yourself in one way.")
    return ways[0] if ways else "none"


def _claimed(request: Request, given: Mapping[str, str]) -> str:
    """Who it says it is; the same everywhere it says so."""
    match _method(request, given):
        case "client_secret_basic":
            name = _basic(request)[0]
        case "private_key_jwt":
            if given.get("client_assertion_type") != assertions.TYPE:
                raise Refused("invalid_request", f"client_assertion_type must be {assertions.TYPE}")
            name = assertions.claimed_by(given["client_assertion"])
        case _ if given.get("grant_type") == "refresh_token" and "client_id" not in given:
            return ""
        case _:
            name = required(given, "client_id")
    if given.get("client_id", name) != name:
        raise Refused("invalid_client", "client_id is another one.")
    return name[:100]


def _basic(request: Request) -> tuple[str, str]:
    """Both parts are form-encoded before (RFC 6749 §2.3.1)."""
    scheme, _, coded = request.headers["authorization"].partition(" ")
    try:
        if scheme.lower() != "basic":
            raise Refused("invalid_client", "Send client id and secret by Basic.")
        name, colon, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Refused("invalid_client", "The Authorization header cannot be read.") from error
    if not colon:
        raise Refused("invalid_client", "The Authorization header cannot be read.")
    return unquote_plus(name), unquote_plus(secret)


async def _asserted(request: Request, app: App, assertion: str, now: datetime) -> dict[str, Any]:
    """With keys that are kept here, or fetched from where the app keeps them; once more when
    they do not fit, since apps change their keys too."""
    issuer = addresses.issuer_of(request)
    audience = frozenset({issuer, issuer + addresses.TOKEN})
    keys = await _keys(request, app, now)
    try:
        return assertions.checked(assertion, keys, issuer=app.id, audience=audience, now=now)
    except Refused:
        if app.jwks_uri is None:
            raise
        fetching.forget(app.jwks_uri)
        keys = await _keys(request, app, now)
        return assertions.checked(assertion, keys, issuer=app.id, audience=audience, now=now)


async def _keys(request: Request, app: App, now: datetime) -> KeySet:
    try:
        kept: Any = app.jwks
        if app.jwks_uri is not None:
            allowed = network.hosts(request.app.state.settings.identity_hosts)
            kept = await fetching.remembered(app.jwks_uri, allowed=allowed, now=now)
        return KeySet.import_key_set(kept)
    except (SeraiError, JoseError, ValueError, KeyError, TypeError) as error:
        raise Refused("invalid_client", "The app's keys cannot be had.") from error


async def _note(request: Request, refusal: Refused, now: datetime) -> None:
    """Who knocks is not known; that somebody did is worth a line."""
    actor = Actor("nobody", Kind.MACHINE, "", "system")
    db: Database = request.app.state.db
    async with db.transaction() as tx:
        await audit.record(
            tx, actor=actor, act="app.refuse", at=now, resource=refusal.error, outcome="refused"
        )


def _refused(request: Request, refusal: Refused) -> Response:
    body = {"error": refusal.error, "error_description": refusal.why}
    if refusal.error != "invalid_client":
        return JSONResponse(body, 400)
    challenge = {"WWW-Authenticate": 'Basic realm="serai"'}
    return JSONResponse(body, 401, headers=challenge if "authorization" in request.headers else {})
