"""The words of SCIM, and the documents with which a server says what it offers (RFC 7643 §5-7)."""

from __future__ import annotations

from typing import Any

Data = dict[str, Any]

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
MEDIA_TYPE = "application/scim+json"
MOST = 200

# What RFC 7643 §4.1 gives a User and an account here has no place for; taken and not kept.
NOT_KEPT = frozenset(
    {
        "addresses", "entitlements", "groups", "ims", "locale", "nickName", "phoneNumbers",
        "photos", "preferredLanguage", "profileUrl", "timezone", "title", "userType",
        "x509Certificates",
    }
)  # fmt: skip
KEPT = frozenset({"userName", "externalId", "name", "displayName", "active", "emails", "roles"})
# The server's own; what a client says of them is left aside (RFC 7644 §3.5.1).
OURS = frozenset({"id", "meta", "schemas"})


def service_provider() -> Data:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token that `serai token --staff-feed` issued",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": "/ServiceProviderConfig"},
    }


def resource_types() -> list[Data]:
    return [
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": f"/{name}s",
            "description": description,
            "schema": schema,
            "meta": {"resourceType": "ResourceType", "location": f"/ResourceTypes/{name}"},
        }
        for name, schema, description in (
            ("User", USER, "An account of staff"),
            ("Group", GROUP, "A role and who has it"),
        )
    ]


def schemas() -> list[Data]:
    return [
        _schema(
            USER,
            "User",
            _attribute("userName", required=True, unique="server"),
            _attribute("externalId", exact=True),
            _attribute("displayName"),
            _complex("name", _attribute("formatted"), _attribute("familyName"),
                     _attribute("givenName")),
            _attribute("active", kind="boolean"),
            _complex("emails", _attribute("value"), _attribute("primary", kind="boolean"),
                     many=True),
            _complex("roles", _attribute("value", required=True), many=True, required=True),
        ),
        _schema(
            GROUP,
            "Group",
            _attribute("displayName", readonly=True),
            _complex("members", _attribute("value"), many=True),
        ),
    ]  # fmt: skip


def _schema(urn: str, name: str, *attributes: Data) -> Data:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": urn,
        "name": name,
        "attributes": list(attributes),
        "meta": {"resourceType": "Schema", "location": f"/Schemas/{urn}"},
    }


def _attribute(
    name: str,
    *,
    kind: str = "string",
    required: bool = False,
    readonly: bool = False,
    exact: bool = False,
    unique: str = "none",
) -> Data:
    return {
        "name": name,
        "type": kind,
        "multiValued": False,
        "required": required,
        "caseExact": exact,
        "mutability": "readOnly" if readonly else "readWrite",
        "returned": "default",
        "uniqueness": unique,
    }


def _complex(name: str, *parts: Data, many: bool = False, required: bool = False) -> Data:
    return {
        "name": name,
        "type": "complex",
        "multiValued": many,
        "required": required,
        "mutability": "readWrite",
        "returned": "default",
        "subAttributes": list(parts),
    }
