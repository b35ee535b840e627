"""Groups are the roles: who is a member has the role."""

from __future__ import annotations

from collections.abc import Iterable

from serai.kernel.errors import Invalid, Malformed
from serai.network.scim.patching import operations
from serai.network.scim.schemas import GROUP, Data
from serai.platform.auth.feeds import Fed


def as_group(role: str, staff: Iterable[Fed], base: str) -> Data:
    members = [
        {
            "value": fed.account.id,
            "display": fed.account.name,
            "$ref": f"{base}/Users/{fed.account.id}",
        }
        for fed in staff
        if fed.account.role == role
    ]
    return {
        "schemas": [GROUP],
        "id": role,
        "displayName": role,
        "members": members,
        "meta": {"resourceType": "Group", "location": f"{base}/Groups/{role}"},
    }


def joined(request: Data) -> list[str]:
    """The ids of those whom the operations add; a role can only be changed for another."""
    ids: list[str] = []
    for op, path, value in operations(request):
        members = value.get("members") if isinstance(value, dict) and not path else value
        if op != "add" or path not in ("", "members"):
            raise Invalid("scim.group-is-a-role")
        if not isinstance(members, list):
            raise Malformed("scim.wrong-value", name="members")
        for member in members:
            one = member.get("value") if isinstance(member, dict) else None
            if not isinstance(one, str):
                raise Malformed("scim.wrong-value", name="members")
            ids.append(one)
    return ids
