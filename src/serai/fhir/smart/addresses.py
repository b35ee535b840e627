"""Where everything about apps is, from this server's public address."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from serai.fhir.http.door import DISCOVERY

AUTHORIZE = "/oauth/authorize"
ASK = "/oauth/ask"
TOKEN = "/oauth/token"  # noqa: S105
INTROSPECT = "/oauth/introspect"
REVOKE = "/oauth/revoke"
USERINFO = "/oauth/userinfo"
KEYS = "/oauth/keys"
OPENID = "/.well-known/openid-configuration"
SMART = DISCOVERY


def issuer_of(connection: HTTPConnection) -> str:
    """Who issues tokens: the public address."""
    return str(connection.app.state.settings.public_url)


def base_of(connection: HTTPConnection) -> str:
    """The FHIR server that tokens are for."""
    return f"{issuer_of(connection)}/fhir"
