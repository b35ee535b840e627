"""The token endpoint (RFC 6749 §3.2): codes, refresh tokens and signed assertions for tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serai.fhir import granted
from serai.fhir.smart import identity
from serai.fhir.smart.clients import Proof, app_actor, required, told
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed
from serai.platform import audit
from serai.platform.auth.apps import assertions, grants, holders, scoping
from serai.platform.auth.apps.grants import Issued, Replayed
from serai.platform.auth.apps.permission import Grant
from serai.platform.auth.apps.refusing import Refused
from serai.platform.auth.apps.registry import App
from serai.platform.db import Connection, Database

SERVICE = frozenset({"system"})


async def token(request: Request) -> Response:
    """One grant type each; whatever is refused is told as RFC 6749 §5.2 says."""
    return await told(request, _answer)


async def _answer(request: Request, given: Mapping[str, str], proof: Proof) -> Response:
    now, db = utc_now(), request.app.state.db
    try:
        async with db.transaction() as tx:
            await _use(tx, proof, now)
            body = await _issued(tx, request, proof.app, given, now)
    except Replayed as replay:
        await _end(db, proof.app, replay.grant, now)
        raise
    return JSONResponse(body)


async def _use(tx: Connection, proof: Proof, now: datetime) -> None:
    if proof.claims is not None:
        await assertions.use(tx, proof.app, proof.claims, now)


async def _issued(
    tx: Connection, request: Request, app: App, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    match given.get("grant_type", ""):
        case "authorization_code":
            grant = await grants.take_code(
                tx,
                app,
                required(given, "code"),
                redirect_uri=required(given, "redirect_uri"),
                verifier=required(given, "code_verifier"),
                now=now,
            )
            return await _for_person(tx, request, app, grant, grant.scopes, now)
        case "refresh_token":
            grant = await grants.take_refresh(tx, app, required(given, "refresh_token"), now)
            scopes = _fewer(grant.scopes, given.get("scope"))
            return await _for_person(tx, request, app, grant, scopes, now)
        case "client_credentials":
            return await _for_service(tx, app, given, now)
    raise Refused("unsupported_grant_type", "grant_type is not one of those offered.")


async def _for_person(
    tx: Connection, request: Request, app: App, grant: Grant, scopes: frozenset[str], now: datetime
) -> dict[str, Any]:
    """Refused when the person, the place or the permission is no more."""
    actor = await holders.holder(tx, app.id, grant.id, scopes, grant.organisation, now)
    if actor is None:
        raise Refused("invalid_grant", "The permission has ended.")
    issued = await grants.issue(tx, app, grant, now, scopes=scopes)
    patients = [grant.patient] if grant.patient else []
    await audit.record(
        tx, actor=actor, act="app.token", at=now, resource=f"grant/{grant.id}", patients=patients
    )
    body = _body(issued)
    if grant.patient is not None:
        body |= {"patient": grant.patient, "need_patient_banner": True}
    if "openid" in scopes:
        body["id_token"] = await identity.id_token(tx, request, grant, scopes, now)
    return body


async def _for_service(
    tx: Connection, app: App, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """SMART Backend Services: only by the app's own key."""
    if app.method != "private_key_jwt":
        raise Refused("unauthorized_client", "Only an app with a key of its own acts for itself.")
    scopes = scoping.asked(required(given, "scope"), app.scopes, level=SERVICE)
    clinical = scoping.clinical(scopes)
    if not clinical:
        raise Refused("invalid_scope", "None of the scopes is registered for this app.")
    for one in clinical:
        granted.require_understood(one)
    issued = await grants.issue_to_service(tx, app, frozenset(map(str, clinical)), now)
    await audit.record(tx, actor=app_actor(app), act="app.token", at=now, resource=f"app/{app.id}")
    return _body(issued)


def _body(issued: Issued) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": int(issued.lasts.total_seconds()),
        "scope": " ".join(sorted(issued.scopes)),
    }
    return body | ({"refresh_token": issued.refresh} if issued.refresh else {})


def _fewer(scopes: frozenset[str], text: str | None) -> frozenset[str]:
    if text is None:
        return scopes
    try:
        return scoping.narrowed(scopes, text.split())
    except Malformed as error:
        raise Refused("invalid_scope", "More than was granted.") from error


async def _end(db: Database, app: App, grant: Grant, now: datetime) -> None:
    """The thief's tokens and the owner's alike: which is which nobody knows."""
    async with db.transaction() as tx:
        await grants.end(tx, grant.id, now)
        await audit.record(
            tx,
            actor=app_actor(app),
            act="app.replay",
            at=now,
            resource=f"grant/{grant.id}",
            patients=[grant.patient] if grant.patient else [],
            outcome="refused",
        )
