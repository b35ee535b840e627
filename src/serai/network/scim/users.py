"""A SCIM User and the person it tells of; both directions."""

from __future__ import annotations

from typing import Any

from serai.kernel.errors import Invalid, Malformed
from serai.network.scim.schemas import KEPT, NOT_KEPT, OURS, USER, Data
from serai.network.staff.model import Person
from serai.platform.auth.accounts import folded
from serai.platform.auth.feeds import Fed

LONGEST = 200
TRUTH = {"true": True, "false": False}


def as_user(fed: Fed, base: str) -> Data:
    account = fed.account
    user: Data = {
        "schemas": [USER],
        "id": account.id,
        "externalId": fed.feed_id,
        "userName": account.login,
        "name": {"formatted": account.name},
        "displayName": account.name,
        "active": fed.active,
        "emails": [{"value": fed.email, "primary": True}] if fed.email else None,
        "roles": [{"value": account.role, "primary": True}],
        "meta": {
            "resourceType": "User",
            "created": fed.created_at.isoformat(),
            "lastModified": fed.changed_at.isoformat(),
            "location": f"{base}/Users/{account.id}",
            "version": version(fed),
        },
    }
    return {name: value for name, value in user.items() if value is not None}


def version(fed: Fed) -> str:
    return f'W/"{fed.version}"'


def as_person(user: Data, organisation: str) -> Person:
    """Invalid when an attribute that an account needs is missing or cannot be right."""
    unknown = sorted(
        name for name in user if name not in KEPT | NOT_KEPT | OURS and not name.startswith("urn:")
    )
    if unknown:
        raise Invalid("scim.unknown-attribute", names=[name[:60] for name in unknown])
    login = folded(_text(user, "userName"))
    name = _text(_part(user, "name"), "formatted") or _joined(_part(user, "name"))
    return Person(
        login=login,
        name=name or _text(user, "displayName") or login,
        role=_first(user, "roles") or "",
        organisation=organisation,
        email=_first(user, "emails"),
        feed_id=_text(user, "externalId") or None,
        active=truth(user.get("active", True)),
    )


def renamed(user: Data, before: Data) -> Data:
    """With PATCH only one of the three forms of a name changes; that one is what is meant."""
    name, old = _part(user, "name"), _part(before, "name")
    if name.get("formatted") == old.get("formatted") and (
        name.get("familyName"),
        name.get("givenName"),
    ) != (old.get("familyName"), old.get("givenName")):
        return user | {"name": {"formatted": _joined(name)}}
    if name == old and user.get("displayName") != before.get("displayName"):
        return user | {"name": {"formatted": user.get("displayName")}}
    return user


def truth(value: Any) -> bool:
    """Some directories write booleans as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in TRUTH:
        return TRUTH[value.lower()]
    raise Invalid("scim.wrong-value", name="active")


def _joined(name: Data) -> str:
    """Family name first where it is written in Han characters, as it is spoken."""
    family, given = _text(name, "familyName"), _text(name, "givenName")
    if family and "\u4e00" <= family[0] <= "\u9fff":
        return family + given
    return f"{given} {family}".strip()


def _first(user: Data, name: str) -> str | None:
    """The primary value of several, or the first."""
    values = user.get(name) or []
    if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
        raise Malformed("scim.wrong-value", name=name)
    ordered = sorted(values, key=lambda one: one.get("primary") is not True)
    return _text(ordered[0], "value") or None if ordered else None


def _part(user: Data, name: str) -> Data:
    part = user.get(name) or {}
    if not isinstance(part, dict):
        raise Malformed("scim.wrong-value", name=name)
    return part


def _text(data: Data, name: str) -> str:
    value = data.get(name) or ""
    if not isinstance(value, str) or len(value) > LONGEST or "\0" in value:
        raise Malformed("scim.wrong-value", name=name)
    return value.strip()
