"""Writes of a narrowed token: what was there, and what comes to be there, its scopes must cover."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from serai.fhir import granted
from serai.fhir.granted import Clause
from serai.fhir.store.changes import Write
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden
from serai.platform.db import Connection

# What the scopes do not cover, of what may be seen.
OUTSIDE = """SELECT r.type, r.id FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted(type, id)
    JOIN fhir_resource r ON r.type = wanted.type AND r.id = wanted.id
    WHERE NOT r.deleted AND {visible} AND NOT {covered} LIMIT 1"""

_BEFORE = {"PUT": "u", "DELETE": "d"}
_AFTER = {"POST": "c", "PUT": "u"}


async def require_before(tx: Connection, writes: Sequence[Write], actor: Actor) -> None:
    """What may not be seen is left to the rule for what is not there."""
    for method, act in _BEFORE.items():
        visible = clause(actor)
        await _require(tx, [one for one in writes if one.method == method], actor, act, visible)


async def require_after(tx: Connection, writes: Sequence[Write], actor: Actor) -> None:
    for method, act in _AFTER.items():
        written = [one for one in writes if one.method == method]
        await _require(tx, written, actor, act, ("TRUE", {}))


async def _require(
    tx: Connection, writes: Collection[Write], actor: Actor, act: str, seen: Clause
) -> None:
    if not writes:
        return
    covered, values = granted.clause(actor, "r", act)
    visible, more = seen
    values |= more | {"types": [one.type for one in writes], "ids": [one.id for one in writes]}
    row = await (
        await tx.execute(OUTSIDE.format(covered=covered, visible=visible), values)
    ).fetchone()
    if row is not None:
        raise Forbidden("fhir.scope", interaction=act, type=row[0])
