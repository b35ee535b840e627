"""An app that proves itself by its own key (RFC 7523, SMART "Client Authentication: Asymmetric"):
a signed statement, short-lived and used once."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry

from serai.platform.auth.apps.refusing import Refused
from serai.platform.auth.apps.registry import App
from serai.platform.db import Connection

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("ES384", "RS384")
LONGEST = timedelta(minutes=5)
# How far the clocks may be apart.
LEEWAY = timedelta(seconds=30)
LONGEST_JTI = 500
LARGEST = 16 * 1024

USED = """INSERT INTO app_assertion (app, jti_sha256, expires_at) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING"""
FORGET_OLD = "DELETE FROM app_assertion WHERE expires_at < %s"


def claimed_by(assertion: str) -> str:
    """Who it says it is of, before anything is checked; Refused when it says nothing readable."""
    if len(assertion) > LARGEST:
        raise Refused("invalid_client", "The assertion is too long.")
    try:
        claims = msgspec.json.decode(extract_compact(assertion.encode("ascii")).payload)
        issuer = claims["iss"]
    except (JoseError, msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
        raise Refused("invalid_client", "The assertion cannot be read.") from error
    if not isinstance(issuer, str) or claims.get("sub") != issuer:
        raise Refused("invalid_client", "iss and sub must both be the client id.")
    return issuer


def checked(
    assertion: str, keys: KeySet, *, issuer: str, audience: frozenset[str], now: datetime
) -> dict[str, Any]:
    """Its claims, when one of the keys signed them and they hold now and here."""
    seconds = int(now.timestamp())
    rules = JWTClaimsRegistry(
        now=seconds,
        leeway=int(LEEWAY.total_seconds()),
        iss={"essential": True, "value": issuer},
        sub={"essential": True, "value": issuer},
        aud={"essential": True, "values": sorted(audience)},
        exp={"essential": True},
        jti={"essential": True},
    )
    try:
        token = jwt.decode(assertion, keys, algorithms=list(ALGORITHMS))
        rules.validate(token.claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Refused("invalid_client", f"The assertion does not hold: {_why(error)}.") from error
    claims = token.claims
    if claims["exp"] - seconds > (LONGEST + LEEWAY).total_seconds():
        raise Refused("invalid_client", "The assertion may last five minutes at most.")
    if not 0 < len(claims["jti"]) <= LONGEST_JTI:
        raise Refused("invalid_client", "jti is missing or too long.")
    return claims


async def use(tx: Connection, app: App, claims: dict[str, Any], now: datetime) -> None:
    """Refused when it was used before."""
    until = datetime.fromtimestamp(math.ceil(claims["exp"]), UTC) + LEEWAY
    digest = hashlib.sha256(claims["jti"].encode("utf-8", "surrogatepass")).digest()
    await tx.execute(FORGET_OLD, (now,))
    if not (await tx.execute(USED, (app.id, digest, until))).rowcount:
        raise Refused("invalid_client", "The assertion was used before.")


def _why(error: Exception) -> str:
    """The library's name for it, which says nothing of the contents."""
    return str(getattr(error, "error", "") or type(error).__name__)
