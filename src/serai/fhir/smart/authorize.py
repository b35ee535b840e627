"""Where an app sends a person's browser (RFC 6749 §4.1.1, SMART App Launch §2.0.9).

Until client and address are known to belong together nothing is sent anywhere; from then on the
app is told what is wrong. Everything is remembered here, so that nothing the browser carries on
can be changed on the way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serai.fhir import granted
from serai.fhir.smart import addresses
from serai.fhir.smart.forms import once, sent
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed
from serai.platform.auth.apps import registry, requests, scoping
from serai.platform.auth.apps.refusing import Refused
from serai.platform.auth.apps.registry import App
from serai.platform.db import Connection

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
LONGEST = 2000
KNOWN = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "aud", "resource", "launch",
    "code_challenge", "code_challenge_method", "nonce", "prompt", "max_age",
)  # fmt: skip
LEVELS = frozenset({"patient", "user"})


async def authorize(request: Request) -> Response:
    """GET or POST; to the page where the person answers, or back to the app with an error."""
    given = await _given(request)
    now = utc_now()
    async with request.app.state.db.transaction() as tx:
        app = await _app(tx, given)
        try:
            asked = await _asked(tx, app, given, addresses.base_of(request), now)
            secret = await requests.keep(tx, asked, now)
        except Refused as refusal:
            return back(
                request, given["redirect_uri"], given.get("state"),
                error=refusal.error, error_description=refusal.why,
            )  # fmt: skip
    return RedirectResponse(f"{addresses.ASK}/{secret}", status_code=303)


def back(request: Request, redirect_uri: str, state: str | None, **told: str) -> Response:
    """To the app, with who answers (RFC 9207)."""
    pairs = {**told, "iss": addresses.issuer_of(request)}
    if state is not None:
        pairs["state"] = state
    joint = "&" if "?" in redirect_uri else "?"
    return RedirectResponse(f"{redirect_uri}{joint}{urlencode(pairs)}", status_code=303)


async def _given(request: Request) -> Mapping[str, str]:
    if request.method == "POST":
        given = await sent(request)
    else:
        given = once(request.query_params.multi_items())
    if any(len(one) > 4 * LONGEST for one in given.values()):
        raise Malformed("app.request")
    return given


async def _app(c: Connection, given: Mapping[str, str]) -> App:
    app = await registry.usable(c, given.get("client_id", ""))
    # Compared letter by letter (RFC 9700 §4.1.3).
    if app is None or given.get("redirect_uri") not in app.redirect_uris:
        raise Malformed("app.not-known")
    return app


async def _asked(
    tx: Connection, app: App, given: Mapping[str, str], base: str, now: datetime
) -> requests.Request:
    _require_form(given, base)
    scopes = _scopes(app, given.get("scope", ""))
    for one in scoping.clinical(scopes):
        try:
            granted.require_understood(one)
        except Malformed as error:
            raise Refused("invalid_scope", f"{one} cannot be told apart here.") from error
    account, patient = await _launched(tx, app, given, scopes, now)
    return requests.Request(
        app=app.id,
        redirect_uri=given["redirect_uri"],
        state=given.get("state"),
        scopes=scopes,
        challenge=given["code_challenge"],
        nonce=given.get("nonce"),
        account=account,
        patient=patient,
        fresh_since=_fresh_since(given, now),
    )


def _scopes(app: App, text: str) -> frozenset[str]:
    try:
        scopes = scoping.asked(text, app.scopes, level=LEVELS)
    except Malformed as error:
        raise Refused("invalid_scope", "No scopes, or too many.") from error
    if not scopes:
        raise Refused("invalid_scope", "None of the scopes is registered for this app.")
    return scopes


def _require_form(given: Mapping[str, str], base: str) -> None:
    unknown = sorted(set(given) - set(KNOWN))
    if unknown:
        raise Refused("invalid_request", f"Not offered: {', '.join(unknown)[:200]}")
    if given.get("response_type") != "code":
        raise Refused("unsupported_response_type", "response_type must be code.")
    if given.get("code_challenge_method") != "S256":
        raise Refused("invalid_request", "code_challenge_method must be S256.")
    if not CHALLENGE.fullmatch(given.get("code_challenge", "")):
        raise Refused("invalid_request", "code_challenge must be 43 characters of base64url.")
    if given.get("aud", given.get("resource", "")).rstrip("/") not in _audiences(given, base):
        raise Refused("invalid_request", f"aud must be {base}")
    if any(len(given.get(name, "")) > LONGEST for name in ("state", "nonce")):
        raise Refused("invalid_request", "state and nonce may have 2000 characters.")


def _audiences(given: Mapping[str, str], base: str) -> tuple[str, ...]:
    """Who asks for nothing but who somebody is need not name the FHIR server."""
    only_who = all(word in scoping.WORDS for word in given.get("scope", "").split())
    return (base, "") if only_who else (base,)


async def _launched(
    tx: Connection, app: App, given: Mapping[str, str], scopes: frozenset[str], now: datetime
) -> tuple[str | None, str | None]:
    if "launch" not in given:
        return None, None
    if "launch" not in scopes:
        raise Refused("invalid_scope", "A launch needs the scope launch.")
    found = await requests.use_launch(tx, given["launch"], app.id, now)
    if found is None:
        raise Refused("invalid_request", "The launch is unknown, used or too old.")
    return found


def _fresh_since(given: Mapping[str, str], now: datetime) -> datetime | None:
    prompts = given.get("prompt", "").split()
    if "none" in prompts:
        raise Refused("interaction_required", "The person is asked every time.")
    if "login" in prompts:
        return now
    if "max_age" not in given:
        return None
    age = given["max_age"]
    if not (age.isascii() and age.isdecimal() and len(age) < 9):
        raise Refused("invalid_request", "max_age must be a number of seconds.")
    return now - timedelta(seconds=int(age))
