"""What a search may cost: so much time for each statement, and so many rows to sort.

A page in index order stops when it is full. Anything else has to see every match before it knows
the first; above MOST_SORTED the walk of an index takes over, or the search is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from psycopg import AsyncClientCursor

from serai.fhir.search import walking
from serai.fhir.search.links import is_narrow
from serai.fhir.search.query import Ids, Query
from serai.fhir.search.sql import count_statement, page_statement
from serai.kernel.actor import Actor
from serai.kernel.errors import TooLarge
from serai.platform.db import Connection

LONGEST_S: Final = 15
MOST_SORTED: Final = 20_000
_OWN: Final = frozenset({"id", "updated"})

Row = tuple[Any, ...]


async def within_time(
    connection: Connection, statement: str, values: Mapping[str, Any]
) -> list[Row]:
    """All rows; a statement that takes too long is stopped where it runs."""
    try:
        async with asyncio.timeout(LONGEST_S):
            cursor = await connection.execute(statement, values, binary=True)
            return await cursor.fetchall()
    except TimeoutError as error:
        raise _too_long() from error


async def planned_for(
    connection: Connection, statement: str, values: Mapping[str, Any]
) -> list[Row]:
    """The same, planned anew with these values in sight, which tell how many rows to expect."""
    try:
        async with asyncio.timeout(LONGEST_S), AsyncClientCursor(connection) as cursor:
            await cursor.execute(statement, values)
            return await cursor.fetchall()
    except TimeoutError as error:
        raise _too_long() from error


def _too_long() -> TooLarge:
    return TooLarge("search.too-long", most=LONGEST_S)


async def page_rows(connection: Connection, query: Query, actor: Actor) -> list[Row]:
    """One row more than the page holds, if there is one."""
    if not _is_broad(query):
        return await within_time(connection, *page_statement(query, actor))
    walkable = walking.is_walkable(query)
    if walkable and not query.conditions and actor.system_wide:
        return await _walk(connection, query, actor)
    statement, values = count_statement(query, actor, most=MOST_SORTED + 1)
    ((matches,),) = await within_time(connection, statement, values)
    if matches <= MOST_SORTED:
        return await within_time(connection, *page_statement(query, actor))
    if walkable:
        return await _walk(connection, query, actor)
    raise TooLarge("search.sort-too-many", most=MOST_SORTED, by=query.sort[0].param)


def _is_broad(query: Query) -> bool:
    """Whether many may have to be sorted by what does not lie in their own rows."""
    if not query.sort or query.sort[0].kind in _OWN:
        return False
    return not any(is_narrow(one) or isinstance(one, Ids) for one in query.conditions)


async def _walk(connection: Connection, query: Query, actor: Actor) -> list[Row]:
    without = walking.without_value(query.sort[0])
    rows: list[Row] = []
    if not (query.cursor and query.cursor[0] == without):
        rows = await within_time(connection, *page_statement(query, actor, walk=True))
    if len(rows) > query.count:
        return rows
    # Between two statements somebody may have taken a value away from what is shown already.
    shown = {(row[0], row[1]) for row in rows}
    more = await page_rows(connection, walking.rest(query, len(rows)), actor)
    rows += [(*row[:8], without, *row[8:]) for row in more if (row[0], row[1]) not in shown]
    return rows
