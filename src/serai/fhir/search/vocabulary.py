"""Conditions that only a terminology can answer, turned into keys before there is any SQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from serai.fhir.search.asking import NotHonoured
from serai.fhir.search.keys import key
from serai.fhir.search.query import Coded, Condition, Keys, Query
from serai.kernel.errors import TooLarge
from serai.platform.db import Connection

# Every code becomes one probe of an index.
MOST_CODES = 10_000

# (connection, relation, value) to (system, code): `in` a value set by its address or reference,
# `above` or `below` a ``system|code``.
Expand = Callable[[Connection, str, str], Awaitable[Sequence[tuple[str, str]]]]


async def resolved(connection: Connection, query: Query, expand: Expand | None) -> Query:
    """The query without any Coded; refused by name where no terminology is there to ask."""
    if not any(isinstance(one, Coded) for one in query.conditions):
        return query
    conditions = [await _resolved(connection, one, expand) for one in query.conditions]
    return replace(query, conditions=tuple(conditions))


async def _resolved(
    connection: Connection, condition: Condition, expand: Expand | None
) -> Condition:
    if not isinstance(condition, Coded):
        return condition
    if expand is None:
        raise NotHonoured("search.modifier", parameter=f"{condition.param}:{condition.relation}")
    codes = await expand(connection, condition.relation, condition.value)
    if len(codes) > MOST_CODES:
        raise TooLarge("search.too-many-codes", parameter=condition.param, most=MOST_CODES)
    keys = (key("both", condition.type, condition.param, *one) for one in codes)
    return Keys(tuple(keys), condition.negated)
