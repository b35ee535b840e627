"""Who somebody is, told to an app that may know it (OpenID Connect Core §2, §5.3; `fhirUser` of
SMART App Launch)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serai.fhir.smart import addresses
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden
from serai.platform.auth.accounts import read_account
from serai.platform.auth.apps import holders, signing
from serai.platform.auth.apps.permission import Grant
from serai.platform.db import Connection
from serai.web.authentication import require_actor

LASTS = timedelta(minutes=10)
# Two different factors, as the federations of universities and hospitals write it.
TWO_FACTORS = "https://refeds.org/profile/mfa"

# How somebody proved who they are, as RFC 8176 names it.
METHODS: dict[str, tuple[str, ...]] = {
    "password": ("pwd",),
    "totp": ("pwd", "otp", "mfa"),
    "recovery": ("pwd", "otp", "mfa"),
    "passkey": ("hwk", "user", "mfa"),
    "provider": ("fed",),
    "provider-two": ("fed", "mfa"),
}


async def id_token(
    tx: Connection, request: Request, grant: Grant, scopes: frozenset[str], now: datetime
) -> str:
    """Signed, for this app alone."""
    methods = METHODS.get(grant.proved_by, ())
    claims = {
        "iss": addresses.issuer_of(request),
        "aud": grant.app,
        "iat": int(now.timestamp()),
        "exp": int((now + LASTS).timestamp()),
        "auth_time": int(grant.proved_at.timestamp()),
        "amr": list(methods),
        **await _claims(tx, request, grant, scopes),
    }
    if grant.nonce is not None:
        claims["nonce"] = grant.nonce
    if "mfa" in methods:
        claims["acr"] = TWO_FACTORS
    keys = request.app.state.keys
    return await signing.signed(tx, claims, keys=keys, now=now)


async def userinfo(request: Request) -> Response:
    """OpenID Connect Core §5.3: by an access token with the scope openid."""
    require_actor(request)
    _, _, secret = request.headers.get("authorization", "").partition(" ")
    async with request.app.state.db.connection() as c:
        token = await holders.find(c, secret.strip(), utc_now())
        if token is None or token.grant is None or "openid" not in token.scopes:
            raise Forbidden("auth.role")
        grant = await holders.grant_of(c, token.grant)
        claims = await _claims(c, request, grant, token.scopes)
    return JSONResponse(claims)


async def _claims(
    c: Connection, request: Request, grant: Grant, scopes: frozenset[str]
) -> dict[str, Any]:
    account = await read_account(c, grant.account)
    claims: dict[str, Any] = {"sub": account.id}
    if "profile" in scopes:
        claims["name"] = account.name
    user = fhir_user(account.actor)
    if "fhirUser" in scopes and user is not None:
        claims["fhirUser"] = f"{addresses.base_of(request)}/{user}"
    return claims


def fhir_user(actor: Actor) -> str | None:
    if actor.practitioner is not None:
        return f"Practitioner/{actor.practitioner}"
    if actor.kind is Kind.PATIENT and len(actor.patients) == 1:
        return f"Patient/{actor.patients[0]}"
    return None
