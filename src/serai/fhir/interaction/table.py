"""Which interaction answers which method at which kind of address.

The dispatcher and the CapabilityStatement read this one table, so neither can promise more
than the other keeps.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.interaction import patching, reading, writing
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations import catalogue
from serai.fhir.operations.operation import Level
from serai.fhir.outcome import MethodNotAllowed
from serai.kernel.errors import NotFound

Handler = Callable[[Scene, Asked], Awaitable[Reply]]

_LOGICAL_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True)
class Interaction:
    """`code` is FHIR's name (TypeRestfulInteraction, SystemRestfulInteraction) or None where the
    CapabilityStatement says it in another way; `writes` asks for a transaction, which `alone`
    needs only for a condition or a guard: by itself it writes with a single statement."""

    code: str | None
    handler: Handler
    writes: bool = False
    alone: bool = False


TABLE: dict[tuple[str, str], Interaction] = {
    ("GET", "instance"): Interaction("read", reading.read),
    ("PUT", "instance"): Interaction("update", writing.update, writes=True, alone=True),
    ("PATCH", "instance"): Interaction("patch", patching.patch, writes=True),
    ("DELETE", "instance"): Interaction("delete", writing.delete, writes=True),
    ("GET", "version"): Interaction("vread", reading.vread),
    ("GET", "instance-history"): Interaction("history-instance", reading.history),
    ("GET", "type"): Interaction("search-type", reading.search),
    ("POST", "type"): Interaction("create", writing.create, writes=True, alone=True),
    ("PUT", "type"): Interaction(None, writing.update_by_condition, writes=True),
    ("PATCH", "type"): Interaction(None, patching.patch_by_condition, writes=True),
    ("DELETE", "type"): Interaction(None, writing.delete_by_condition, writes=True),
    ("POST", "type-search"): Interaction(None, reading.search),
    ("GET", "compartment"): Interaction(None, reading.search),
    ("POST", "compartment-search"): Interaction(None, reading.search),
    ("GET", "type-history"): Interaction("history-type", reading.history),
    ("GET", "system"): Interaction("search-system", reading.search),
    ("POST", "system-search"): Interaction(None, reading.search),
    ("GET", "system-history"): Interaction("history-system", reading.history),
}


def find(method: str, path: tuple[str, ...]) -> Interaction:
    """NotFound for an address nobody serves, MethodNotAllowed for one served otherwise."""
    if path and path[-1].startswith("$"):
        return _operation(method, path)
    kind = shape(path)
    found = TABLE.get((method, kind))
    if found is None:
        # Bundles are posted to the base address, and answered apart from this table.
        bundles = {"POST"} if kind == "system" else set()
        allow = ", ".join(sorted({verb for verb, where in TABLE if where == kind} | bundles))
        raise MethodNotAllowed("fhir.method", method=method, allow=allow)
    return found


_LEVELS: dict[str, Level] = {"type": "type", "instance": "instance", "version": "version"}


def _operation(method: str, path: tuple[str, ...]) -> Interaction:
    """`$name` below the base, a type, an instance or a version of it (R4 §3.2.0.1)."""
    *where, name = path
    kind = shape(tuple(where)) if where else ""
    level = _LEVELS.get(kind) if where else "system"
    found = catalogue.named(name[1:], level, where[0] if where else None) if level else None
    if found is None:
        raise NotFound("operation.unknown", operation=name[:64])
    if method not in ({"POST"} if found.writes else {"GET", "POST"}):
        raise MethodNotAllowed(
            "fhir.method", method=method, allow="POST" if found.writes else "GET, POST"
        )
    return Interaction(None, found.handler, found.writes)


_SYSTEM = {(): "system", ("_history",): "system-history", ("_search",): "system-search"}


def shape(path: tuple[str, ...]) -> str:
    """The kind of address a path is."""
    if path in _SYSTEM:
        return _SYSTEM[path]
    if not path or not path[0] or not path[0][0].isupper():
        raise NotFound("fhir.unknown-address")
    if path[0] not in RESOURCE_TYPES:
        raise NotFound("fhir.unknown-type", type=path[0][:64])
    return _below_type(path[1:])


def _below_type(rest: tuple[str, ...]) -> str:
    match rest:
        case ():
            return "type"
        case ("_search",):
            return "type-search"
        case ("_history",):
            return "type-history"
        case (id,) if _LOGICAL_ID.fullmatch(id):
            return "instance"
        case (id, "_history") if _LOGICAL_ID.fullmatch(id):
            return "instance-history"
        case (id, "_history", _) if _LOGICAL_ID.fullmatch(id):
            return "version"
    return _compartment(rest)


def _compartment(rest: tuple[str, ...]) -> str:
    match rest:
        case (id, kind) if _LOGICAL_ID.fullmatch(id) and kind in _SEARCHED:
            return "compartment"
        case (id, kind, "_search") if _LOGICAL_ID.fullmatch(id) and kind in _SEARCHED:
            return "compartment-search"
    raise NotFound("fhir.unknown-address")


# What may stand behind an instance: a type of resource in its compartment, or all of them.
_SEARCHED = RESOURCE_TYPES | {"*"}
