"""What this server can do for apps, and nothing it cannot (SMART App Launch §Conformance, OpenID
Connect Discovery 1.0, RFC 8414)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serai.fhir.smart import addresses
from serai.kernel.clock import utc_now
from serai.platform.auth.apps import assertions, registry, scoping, signing

CAPABILITIES = (
    "launch-ehr", "launch-standalone", "authorize-post", "client-public",
    "client-confidential-symmetric", "client-confidential-asymmetric", "sso-openid-connect",
    "context-ehr-patient", "context-standalone-patient", "permission-offline",
    "permission-online", "permission-patient", "permission-user", "permission-v1",
    "permission-v2",
)  # fmt: skip


async def smart_configuration(request: Request) -> Response:
    return JSONResponse(_both(request) | {"capabilities": list(CAPABILITIES)})


async def openid_configuration(request: Request) -> Response:
    issuer = addresses.issuer_of(request)
    return JSONResponse(
        _both(request)
        | {
            "userinfo_endpoint": issuer + addresses.USERINFO,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [signing.ALGORITHM],
            "response_modes_supported": ["query"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "name",
                "fhirUser",
            ],
            "acr_values_supported": ["https://refeds.org/profile/mfa"],
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "claims_parameter_supported": False,
            "prompt_values_supported": ["none", "login", "consent"],
        }
    )  # fmt: skip


async def keys(request: Request) -> Response:
    """The JWK set that identity tokens are checked with; a first key is made when there is
    none yet."""
    now = utc_now()
    async with request.app.state.db.transaction() as tx:
        found = await signing.shown(tx, now)
        if not found["keys"]:
            keys = request.app.state.keys
            await signing.rotate(tx, keys=keys, now=now, older_than=now - signing.CHANGED_AFTER)
            found = await signing.shown(tx, now)
    return JSONResponse(found, headers={"Cache-Control": "public, max-age=300"})


def _both(request: Request) -> dict[str, Any]:
    issuer = addresses.issuer_of(request)
    return {
        "issuer": issuer,
        "jwks_uri": issuer + addresses.KEYS,
        "authorization_endpoint": issuer + addresses.AUTHORIZE,
        "token_endpoint": issuer + addresses.TOKEN,
        "introspection_endpoint": issuer + addresses.INTROSPECT,
        "revocation_endpoint": issuer + addresses.REVOKE,
        "token_endpoint_auth_methods_supported": list(registry.METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(assertions.ALGORITHMS),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [
            *sorted(scoping.WORDS), "patient/*.cruds", "user/*.cruds", "system/*.cruds",
        ],
        "authorization_response_iss_parameter_supported": True,
    }  # fmt: skip
