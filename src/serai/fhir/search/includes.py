"""`_include` and `_revinclude` (R4 §3.1.1.5.4), inside what the actor may read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from serai.fhir.search.extract import index
from serai.fhir.search.indexed import ReferenceValue
from serai.fhir.search.keys import is_local, key
from serai.fhir.search.query import Include
from serai.fhir.stored import COLUMNS, Stored, stored
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor
from serai.kernel.errors import TooLarge
from serai.platform.db import Connection

MOST_INCLUDED = 2000

# By identity, the resources that matches point to.
POINTED_TO = """SELECT {columns} FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted(type, id)
    JOIN fhir_resource r ON r.type = wanted.type AND r.id = wanted.id
    WHERE NOT r.deleted AND {visible} LIMIT %(most)s"""

# By key, the resources that point to matches.
POINTING = """SELECT {columns} FROM fhir_resource r
    WHERE r.type = %(type)s AND r.keys && %(keys)s::bigint[]
      AND NOT r.deleted AND {visible} ORDER BY r.id LIMIT %(most)s"""


async def included(
    connection: Connection, includes: Sequence[Include], matches: Sequence[Stored], *, actor: Actor
) -> list[Stored]:
    """Each resource once, never one that is a match itself."""
    found: dict[str, Stored] = {}
    forward = [one for one in includes if not one.reversed]
    if forward:
        for row in await _pointed_to(connection, forward, matches, actor):
            found[row.reference] = row
    for include in includes:
        if include.reversed:
            for row in await _pointing(connection, include, matches, actor):
                found[row.reference] = row
    if len(found) > MOST_INCLUDED:
        raise TooLarge("search.too-many-included", most=MOST_INCLUDED)
    for match in matches:
        found.pop(match.reference, None)
    return list(found.values())


async def _pointed_to(
    connection: Connection, includes: Sequence[Include], matches: Sequence[Stored], actor: Actor
) -> list[Stored]:
    targets = {
        (str(one.type), str(one.id))
        for match in matches
        for one in _references(match, includes)
        if one.type is not None and actor.may("r", one.type)
    }
    if not targets:
        return []
    visible, values = clause(actor)
    ordered = sorted(targets)
    values |= {
        "types": [kind for kind, _ in ordered],
        "ids": [id for _, id in ordered],
        "most": MOST_INCLUDED + 1,
    }
    statement = POINTED_TO.format(columns=COLUMNS, visible=visible)
    cursor = await connection.execute(statement, values, binary=True)
    return [stored(row) for row in await cursor.fetchall()]


def _references(match: Stored, includes: Sequence[Include]) -> Iterable[ReferenceValue]:
    for one in index(match.data).references:
        for include in includes:
            same = one.param == include.param and include.target in (None, one.type)
            if same and is_local(one, ""):
                yield one


async def _pointing(
    connection: Connection, include: Include, matches: Sequence[Stored], actor: Actor
) -> list[Stored]:
    if not actor.may("r", include.source):
        return []
    visible, values = clause(actor)
    values |= {
        "type": include.source,
        "keys": [key("ref", include.source, include.param, one.reference) for one in matches],
        "most": MOST_INCLUDED + 1,
    }
    statement = POINTING.format(columns=COLUMNS, visible=visible)
    cursor = await connection.execute(statement, values, binary=True)
    return [stored(row) for row in await cursor.fetchall()]
