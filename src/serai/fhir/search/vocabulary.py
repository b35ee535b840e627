"""Conditions that only a terminology can answer, turned into keys before there is any SQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from serai.fhir.search.asking import NotHonoured
from serai.fhir.search.keys import key
from serai.fhir.search.query import Branch, Chain, Coded, Has, Keys, Query, Test
from serai.kernel.errors import TooLarge
from serai.platform.db import Connection

# Every code becomes one probe of an index.
MOST_CODES = 10_000

# (connection, relation, value) to (system, code): `in` a value set by its address or reference,
# `above` or `below` a ``system|code``.
Expand = Callable[[Connection, str, str], Awaitable[Sequence[tuple[str, str]]]]


async def resolved(connection: Connection, query: Query, expand: Expand | None) -> Query:
    """The query without any Coded; refused by name where no terminology is there to ask."""
    if not any(_is_coded(one) for one in query.conditions):
        return query
    conditions = [await _resolved(connection, one, expand) for one in query.conditions]
    return replace(query, conditions=tuple(conditions))


def _is_coded(test: Test) -> bool:
    match test:
        case Chain():
            return any(_is_coded(branch.test) for branch in test.branches)
        case Has():
            return _is_coded(test.source.test)
    return isinstance(test, Coded)


async def _resolved(connection: Connection, test: Test, expand: Expand | None) -> Test:
    match test:
        case Chain():
            branches = [await _branch(connection, one, expand) for one in test.branches]
            return replace(test, branches=tuple(branches))
        case Has():
            return replace(test, source=await _branch(connection, test.source, expand))
        case Coded():
            return await _keys(connection, test, expand)
    return test


async def _branch(connection: Connection, branch: Branch, expand: Expand | None) -> Branch:
    return replace(branch, test=await _resolved(connection, branch.test, expand))


async def _keys(connection: Connection, asked: Coded, expand: Expand | None) -> Keys:
    if expand is None:
        raise NotHonoured("search.modifier", parameter=f"{asked.param}:{asked.relation}")
    codes = await expand(connection, asked.relation, asked.value)
    if len(codes) > MOST_CODES:
        raise TooLarge("search.too-many-codes", parameter=asked.param, most=MOST_CODES)
    keys = (key("both", asked.type, asked.param, *one) for one in codes)
    return Keys(tuple(keys), asked.negated)
