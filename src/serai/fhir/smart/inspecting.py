"""Token introspection (RFC 7662) and revocation (RFC 7009), each for the app's own tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serai.fhir.smart import addresses, identity
from serai.fhir.smart.clients import Proof, app_actor, required, told
from serai.kernel.clock import utc_now
from serai.platform import audit
from serai.platform.auth.apps import assertions, grants, holders
from serai.platform.auth.apps.holders import Token
from serai.platform.auth.apps.refusing import Refused
from serai.platform.db import Connection

NOTHING = {"active": False}


async def introspect(request: Request) -> Response:
    """Whether a token holds and what it covers; of another app's token, that it does not."""
    return await told(request, _introspected)


async def revoke(request: Request) -> Response:
    """A refresh token takes everything that hangs on the same permission along (RFC 7009 §2.1);
    an unknown one is as good as revoked."""
    return await told(request, _revoked)


async def _introspected(request: Request, given: Mapping[str, str], proof: Proof) -> Response:
    if proof.app.method == "none":
        raise Refused("invalid_client", "Only an app that proves itself may ask.")
    now = utc_now()
    async with request.app.state.db.transaction() as tx:
        await _use(tx, proof, now)
        token = await holders.find(tx, required(given, "token"), now)
        if token is None or token.app != proof.app.id:
            return JSONResponse(NOTHING)
        return JSONResponse(await _described(tx, request, token, now))


async def _described(
    tx: Connection, request: Request, token: Token, now: datetime
) -> dict[str, Any]:
    actor = await holders.holder(tx, token.app, token.grant, token.scopes, None, now)
    if actor is None:
        return NOTHING
    found: dict[str, Any] = {
        "active": True,
        "client_id": token.app,
        "scope": " ".join(sorted(token.scopes)),
        "token_type": "Bearer",
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "iss": addresses.issuer_of(request),
        "aud": addresses.base_of(request),
        "sub": actor.id,
    }
    if actor.patient is not None:
        found["patient"] = actor.patient
    user = identity.fhir_user(actor)
    if "fhirUser" in token.scopes and user is not None:
        found["fhirUser"] = f"{addresses.base_of(request)}/{user}"
    return found


async def _revoked(request: Request, given: Mapping[str, str], proof: Proof) -> Response:
    now, secret = utc_now(), required(given, "token")
    async with request.app.state.db.transaction() as tx:
        await _use(tx, proof, now)
        token = await holders.find(tx, secret, now)
        if token is not None and token.app == proof.app.id:
            if token.kind == "refresh_token" and token.grant is not None:
                await grants.end(tx, token.grant, now)
            else:
                await holders.revoke_access(tx, secret, now)
            resource = f"grant/{token.grant}" if token.grant else f"app/{token.app}"
            await audit.record(
                tx, actor=app_actor(proof.app), act="app.revoke", at=now, resource=resource
            )
    return Response(status_code=200)


async def _use(tx: Connection, proof: Proof, now: datetime) -> None:
    if proof.claims is not None:
        await assertions.use(tx, proof.app, proof.claims, now)
