"""What an identity provider says about somebody, and whether to believe it (OpenID Connect Core
§3.1.3.7, Discovery §4.3, RFC 9207)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from serai.kernel.errors import Unauthenticated, Unavailable
from serai.platform.auth.apps import fetching
from serai.platform.auth.providers import Provider
from serai.platform.auth.secrets import derived
from serai.platform.encryption.keyring import Keyring

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384")
LEEWAY = timedelta(seconds=30)
OLDEST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Way:
    """One sign-in at a provider: what is known of it, where it answers, what is allowed to be
    called. `secret` is the browser's; what must come back is made of it."""

    provider: Provider
    redirect_uri: str
    allowed: frozenset[str]
    secret: str

    @property
    def state(self) -> str:
        return derived(self.secret, "state")

    @property
    def nonce(self) -> str:
        return derived(self.secret, "nonce")

    @property
    def verifier(self) -> str:
        return derived(self.secret, "verifier")


@dataclass(frozen=True, slots=True)
class Said:
    """Who somebody is there, when and how they proved it."""

    subject: str
    proved_at: datetime
    two_factors: bool


async def facts_of(provider: Provider, allowed: frozenset[str], now: datetime) -> dict[str, Any]:
    """The provider's own description, which must name it (Discovery §4.3)."""
    address = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
    found = await fetching.remembered(address, allowed=allowed, now=now)
    if found.get("issuer") != provider.issuer:
        raise Unavailable("provider.not-itself")
    return found


def address_there(way: Way, facts: Mapping[str, Any], *, afresh: bool) -> str:
    """Where the browser goes (Core §3.1.2.1)."""
    asked = {
        "response_type": "code",
        "client_id": way.provider.client_id,
        "redirect_uri": way.redirect_uri,
        "scope": "openid",
        "state": way.state,
        "nonce": way.nonce,
        "code_challenge": create_s256_code_challenge(way.verifier),
        "code_challenge_method": "S256",
    } | ({"max_age": "0"} if afresh else {})
    there = str(facts["authorization_endpoint"])
    return f"{there}{'&' if '?' in there else '?'}{urlencode(asked)}"


def require_own_answer(way: Way, facts: Mapping[str, Any], given: Mapping[str, str]) -> str:
    """The code, when it is the answer to this browser's question and of this provider."""
    expected = facts.get("authorization_response_iss_parameter_supported") is True
    issuer = given.get("iss", None if expected else way.provider.issuer)
    if issuer != way.provider.issuer or "error" in given or not given.get("code"):
        raise Unauthenticated("provider.refused")
    if not hmac.compare_digest(given.get("state", "").encode(), way.state.encode()):
        raise Unauthenticated("provider.refused")
    return given["code"]


async def redeemed(
    way: Way, facts: Mapping[str, Any], code: str, *, keys: Keyring, now: datetime
) -> Said:
    """The code for an identity token, and that checked in full."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": way.redirect_uri,
        "code_verifier": way.verifier,
    }
    headers: dict[str, str] = {}
    secret = await way.provider.secret(keys)
    if secret is None:
        form["client_id"] = way.provider.client_id
    else:
        pair = f"{quote_plus(way.provider.client_id)}:{quote_plus(secret)}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    try:
        got = await fetching.fetched(
            str(facts["token_endpoint"]), allowed=way.allowed, form=form, headers=headers
        )
    except Unavailable as error:
        raise Unauthenticated("provider.refused") from error
    return said(way, await _keys(way, facts), str(got.get("id_token", "")), now=now)


def said(way: Way, keys: KeySet, token: str, *, now: datetime) -> Said:
    """Core §3.1.3.7; whatever is wrong, nobody is told more than that it is."""
    provider, seconds = way.provider, int(now.timestamp())
    rules = JWTClaimsRegistry(
        now=seconds,
        leeway=int(LEEWAY.total_seconds()),
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": way.nonce},
    )
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        rules.validate(claims)
        sound = _is_for(provider, claims) and seconds - claims["iat"] <= OLDEST.total_seconds()
        proved_at = datetime.fromtimestamp(_second(claims), UTC)
    except (JoseError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise Unauthenticated("provider.refused") from error
    if not sound:
        raise Unauthenticated("provider.refused")
    how = {claims.get("acr"), *(claims.get("amr") or ())}
    return Said(claims["sub"], min(proved_at, now), bool(how & set(provider.two_factors)))


def _second(claims: Mapping[str, Any]) -> float:
    """When they proved it; where that is not said, when it was told."""
    at = claims.get("auth_time")
    return float(claims["iat"] if at is None else at)


def _is_for(provider: Provider, claims: Mapping[str, Any]) -> bool:
    """Of several audiences, the one it was made for must be us."""
    single = not isinstance(claims["aud"], list) or len(claims["aud"]) == 1
    party = claims.get("azp", provider.client_id if single else None)
    return party == provider.client_id and 0 < len(claims["sub"]) <= 255


async def _keys(way: Way, facts: Mapping[str, Any]) -> KeySet:
    found: Any = await fetching.fetched(str(facts["jwks_uri"]), allowed=way.allowed)
    try:
        return KeySet.import_key_set(found)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Unavailable("identity.no-answer", host=way.provider.issuer) from error
