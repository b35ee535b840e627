"""The CapabilityStatement (R4 §5.2), made from the tables that drive the server."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from serai import __version__
from serai.fhir.body import encode
from serai.fhir.definitions import FHIR_VERSION, RESOURCE_TYPES
from serai.fhir.interaction.patching import JSON_PATCH
from serai.fhir.interaction.table import TABLE
from serai.fhir.operations.catalogue import OPERATIONS
from serai.fhir.operations.operation import Operation
from serai.fhir.operations.subscription_binding import websocket_url
from serai.fhir.search import own
from serai.fhir.search.criteria import honoured
from serai.fhir.subscriptions.topics import canonicals
from serai.kernel.clock import instant, utc_now

STARTED = instant(utc_now())

# https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html#subscription-topics
TOPIC = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
    "capabilitystatement-subscriptiontopic-canonical"
)

# https://hl7.org/fhir/R4/extension-capabilitystatement-websocket.html
WEBSOCKET = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket"


OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"


# It is made anew when the server's own search parameters change.
@lru_cache(maxsize=8)
def statement(base: str) -> bytes:
    """What this server does at `base`, and nothing it does not."""
    return encode(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": STARTED,
            "kind": "instance",
            "software": {"name": "Serai", "version": __version__},
            "implementation": {"description": "Serai FHIR server", "url": base},
            "fhirVersion": FHIR_VERSION,
            "format": ["application/fhir+json", "json"],
            "patchFormat": [JSON_PATCH, "application/fhir+json"],
            "rest": [_rest(base)],
        }
    )


own.forgets(statement.cache_clear)


def _rest(base: str) -> dict[str, Any]:
    interactions = [*_codes("system"), {"code": "batch"}, {"code": "transaction"}]
    described: dict[str, Any] = {
        "extension": [{"url": WEBSOCKET, "valueUri": websocket_url(base)}],
        "mode": "server",
        "security": _security(base),
        "resource": [_resource(kind) for kind in sorted(RESOURCE_TYPES)],
        "interaction": interactions,
        "operation": _operations(one for one in OPERATIONS if "system" in one.levels),
    }
    return {name: value for name, value in described.items() if value != []}


def _security(base: str) -> dict[str, Any]:
    """How apps get a token (SMART App Launch, extension oauth-uris)."""
    server = base.removesuffix("/fhir")
    uris = [
        {"url": name, "valueUri": f"{server}/oauth/{name}"}
        for name in ("authorize", "token", "introspect", "revoke")
    ]
    return {
        "extension": [{"url": OAUTH_URIS, "extension": uris}],
        # For the pages of registered apps.
        "cors": True,
        "service": [{"coding": [{"system": SECURITY_SERVICE, "code": "SMART-on-FHIR"}]}],
        "description": "Bearer token with SMART v2 scopes, or a page session.",
    }


def _operations(listed: Iterable[Operation]) -> list[dict[str, str]]:
    return [
        {"name": one.name, "definition": one.definition}
        | ({"documentation": one.documentation} if one.documentation else {})
        for one in listed
    ]


def _codes(level: str) -> list[dict[str, str]]:
    """The interactions of the system, or of a type and its instances."""
    codes = [
        one.code
        for (_, where), one in TABLE.items()
        if where.startswith("system") == (level == "system")
    ]
    return [{"code": code} for code in codes if code]


def _resource(kind: str) -> dict[str, Any]:
    parameters = honoured(kind)
    references = [f"{kind}:{code}" for code, one in parameters.items() if one.type == "reference"]
    described: dict[str, Any] = {
        "type": kind,
        "interaction": _codes("type"),
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "multiple",
        # References to other servers, by identifier only, and to what is not there (yet) are kept
        # as sent: none is resolved or enforced, except on delete and inside a transaction.
        "referencePolicy": ["literal", "logical"],
        "searchInclude": sorted(references),
        "searchRevInclude": sorted(_pointing_to(kind)),
        "searchParam": [
            {"name": code, "definition": one.url, "type": one.type}
            for code, one in sorted(parameters.items())
        ],
        "operation": _operations(
            one for one in OPERATIONS if one.levels != {"system"} and _offers(one, kind)
        ),
    }
    if kind == "Subscription":
        described["extension"] = [{"url": TOPIC, "valueCanonical": one} for one in canonicals()]
    return {name: value for name, value in described.items() if value != []}


def _offers(one: Operation, kind: str) -> bool:
    return not one.types or kind in one.types


def _pointing_to(kind: str) -> list[str]:
    return [
        f"{source}:{code}"
        for source in RESOURCE_TYPES
        for code, one in honoured(source).items()
        if one.type == "reference" and kind in one.targets
    ]
