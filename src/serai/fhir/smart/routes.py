"""The addresses of everything about apps."""

from __future__ import annotations

from starlette.routing import Route

from serai.fhir.smart import addresses, consent, identity, inspecting, launching, pages, wellknown
from serai.fhir.smart.authorize import authorize
from serai.fhir.smart.pages import NAVIGATION
from serai.fhir.smart.token import token

__all__ = ["NAVIGATION", "routes"]


def routes() -> list[Route]:
    return [
        Route(addresses.SMART, wellknown.smart_configuration, methods=["GET"]),
        Route(addresses.OPENID, wellknown.openid_configuration, methods=["GET"]),
        Route(addresses.KEYS, wellknown.keys, methods=["GET"]),
        Route(addresses.AUTHORIZE, authorize, methods=["GET", "POST"]),
        Route(addresses.ASK + "/{secret}", consent.ask, methods=["GET"]),
        Route(addresses.ASK + "/{secret}", consent.answer, methods=["POST"]),
        Route(addresses.TOKEN, token, methods=["POST"]),
        Route(addresses.INTROSPECT, inspecting.introspect, methods=["POST"]),
        Route(addresses.REVOKE, inspecting.revoke, methods=["POST"]),
        Route(addresses.USERINFO, identity.userinfo, methods=["GET", "POST"]),
        *launching.routes(),
        *pages.routes(),
    ]
