"""PATCH of a User (RFC 7644 §3.5.2): operations applied to the resource as it is shown."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from serai.kernel.errors import Invalid, Malformed
from serai.network.scim.schemas import KEPT, NOT_KEPT, PATCH, USER, Data

OPERATIONS = ("add", "replace", "remove")
# `emails[type eq "work"].value` is the first email here: an account has one.
PATH = re.compile(r"(?P<name>[A-Za-z]\w*)(\[[^\]]*\])?(\.(?P<part>\w+))?")
SEVERAL = frozenset({"emails", "roles"})
MOST = 100


def patched(user: Data, request: Data) -> Data:
    """The User that the operations make; the one given stays as it was."""
    made = deepcopy(user)
    for op, path, value in operations(request):
        if path:
            _apply(made, op, path, value)
            continue
        if op == "remove" or not isinstance(value, dict):
            raise Invalid("scim.no-target")
        for name, one in value.items():
            _apply(made, op, name, one)
    return made


def operations(request: Data) -> list[tuple[str, str, Any]]:
    wanted = request.get("Operations")
    if request.get("schemas") != [PATCH] or not isinstance(wanted, list):
        raise Malformed("scim.no-patch")
    if not 0 < len(wanted) <= MOST:
        raise Malformed("scim.no-patch")
    return [_operation(one) for one in wanted]


def _operation(one: Any) -> tuple[str, str, Any]:
    if not isinstance(one, dict) or one.keys() - {"op", "path", "value"}:
        raise Malformed("scim.no-patch")
    op, path = str(one.get("op", "")).lower(), one.get("path", "")
    if op not in OPERATIONS or not isinstance(path, str):
        raise Malformed("scim.no-patch")
    return op, path.removeprefix(f"{USER}:"), one.get("value")


def _apply(user: Data, op: str, path: str, value: Any) -> None:
    found = PATH.fullmatch(path)
    name = _known(found["name"]) if found else None
    if found is None or name is None:
        raise Invalid("scim.wrong-path", path=path[:80])
    part = found["part"]
    if op == "remove":
        _remove(user, name, part)
    elif name in SEVERAL:
        user[name] = _several(value, part)
    elif part:
        holder = user.get(name)
        user[name] = (holder if isinstance(holder, dict) else {}) | {part: value}
    else:
        user[name] = value


def _several(value: Any, part: str | None) -> list[Data]:
    if part is not None and part != "value":
        raise Invalid("scim.wrong-path", path=part[:80])
    if isinstance(value, str):
        return [{"value": value}]
    values = value if isinstance(value, list) else [value]
    # What is added last is what holds: an account has one of each.
    return [one if isinstance(one, dict) else {"value": one} for one in reversed(values)]


def _remove(user: Data, name: str, part: str | None) -> None:
    if part and name not in SEVERAL and isinstance(user.get(name), dict):
        user[name].pop(part, None)
    else:
        user.pop(name, None)


def _known(name: str) -> str | None:
    """Attribute names are compared without case (RFC 7643 §2.1)."""
    return {one.lower(): one for one in KEPT | NOT_KEPT}.get(name.lower())
