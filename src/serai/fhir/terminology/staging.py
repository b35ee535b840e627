"""Concepts on their way in: copied to a staging area, then joined, placed in their hierarchy and
moved over by PostgreSQL, so that a system of any size takes the same memory here.

The hierarchy is settled level by level from the top. What never gets its turn stands in a
circle, and is refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from serai.kernel.errors import Invalid
from serai.platform.db import Connection

DEEPEST = 100
MOST_ANCESTORS = 2_000

# Temporary tables belong to one connection and empty themselves with the transaction.
CREATE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_concept (
    id integer DEFAULT nextval('terminology_concept_id'), system integer, code text COLLATE "C",
    display text, definition text, inactive boolean, abstract boolean, position integer,
    facts text[] COLLATE "C", words text, designations jsonb, properties jsonb,
    ancestors integer[], level integer) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_edge (
    system integer, child text COLLATE "C", parent text COLLATE "C") ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_link (
    child integer, parent integer) ON COMMIT DELETE ROWS;
CREATE INDEX IF NOT EXISTS staged_concept_id ON staged_concept (id);
CREATE INDEX IF NOT EXISTS staged_link_child ON staged_link (child);
CREATE INDEX IF NOT EXISTS staged_link_parent ON staged_link (parent);
"""
IS_THERE = "SELECT to_regclass('pg_temp.staged_link') IS NOT NULL"
EMPTY = "DELETE FROM staged_concept; DELETE FROM staged_edge; DELETE FROM staged_link"

# Fewer rows than this are planned well enough without statistics.
MANY = 2_000
HOW_MANY = "SELECT count(*) FROM staged_concept"

COPY_CONCEPTS = """COPY staged_concept (system, code, display, definition, inactive, abstract,
    position, facts, words, designations, properties) FROM STDIN"""
COPY_EDGES = "COPY staged_edge (system, child, parent) FROM STDIN"

TWICE = """SELECT code FROM staged_concept GROUP BY system, code HAVING count(*) > 1 LIMIT 1"""

LINK = """INSERT INTO staged_link
    SELECT DISTINCT c.id, p.id FROM staged_edge e
    JOIN staged_concept c ON c.system = e.system AND c.code = e.child
    JOIN staged_concept p ON p.system = e.system AND p.code = e.parent"""

TOP = """UPDATE staged_concept c SET ancestors = '{}', level = 0
    WHERE NOT EXISTS (SELECT FROM staged_link l WHERE l.child = c.id)"""

# A concept's turn comes when all its parents have had theirs.
NEXT_LEVEL = """WITH candidates AS (
        SELECT DISTINCT l.child AS id FROM staged_link l
        JOIN staged_concept p ON p.id = l.parent WHERE p.level = %(level)s - 1
    ), ready AS (
        SELECT n.id FROM candidates n WHERE NOT EXISTS (
            SELECT FROM staged_link l JOIN staged_concept p ON p.id = l.parent
            WHERE l.child = n.id AND p.level IS NULL)
    ), settled AS (
        SELECT r.id, array_agg(DISTINCT above.id) AS ancestors
        FROM ready r JOIN staged_link l ON l.child = r.id
        JOIN staged_concept p ON p.id = l.parent
        CROSS JOIN LATERAL unnest(p.ancestors || p.id) AS above(id) GROUP BY r.id)
    UPDATE staged_concept c SET ancestors = s.ancestors, level = %(level)s
    FROM settled s WHERE s.id = c.id
    RETURNING cardinality(s.ancestors) > %(most)s"""

UNSETTLED = "SELECT code FROM staged_concept WHERE level IS NULL ORDER BY position LIMIT 1"

MOVE = """INSERT INTO terminology_concept
    (id, system, code, display, definition, inactive, abstract, position, ancestors, facts,
     words, designations, properties)
    SELECT c.id, c.system, c.code, c.display, c.definition, c.inactive, c.abstract, c.position,
        c.ancestors,
        c.facts || coalesce((SELECT array_agg('parent=' || p.code) || 'parent'::text
            FROM staged_link l JOIN staged_concept p ON p.id = l.parent WHERE l.child = c.id),
            '{}'),
        c.words::tsvector, c.designations, c.properties
    FROM staged_concept c ORDER BY c.system, c.position"""


@dataclass(frozen=True, slots=True)
class Concept:
    """One code with all that is said about it; `designations` and `properties` as FHIR has
    them."""

    code: str
    display: str | None
    position: int
    words: str
    definition: str | None = None
    inactive: bool = False
    abstract: bool = False
    facts: Sequence[str] = ()
    designations: Sequence[Any] = ()
    properties: Sequence[Any] = ()


class Copying:
    """An open COPY of one kind of row."""

    def __init__(self, copy: Any) -> None:
        self._copy = copy

    async def concept(self, system: int, one: Concept) -> None:
        await self._copy.write_row(
            (system, one.code, one.display, one.definition, one.inactive, one.abstract,
             one.position, list(one.facts), one.words, _json(one.designations),
             _json(one.properties))
        )  # fmt: skip

    async def edge(self, system: int, child: str, parent: str) -> None:
        await self._copy.write_row((system, child, parent))


async def begin(tx: Connection) -> None:
    """An empty staging area, in the caller's transaction."""
    row = await (await tx.execute(IS_THERE)).fetchone()
    if not (row and row[0]):
        await tx.execute(CREATE)
    await tx.execute(EMPTY)


@asynccontextmanager
async def copying(tx: Connection, statement: str) -> AsyncIterator[Copying]:
    async with tx.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        yield Copying(copy)


async def finish(tx: Connection) -> None:
    """Everything staged becomes known; Invalid for a code given twice or a circle."""
    row = await (await tx.execute(TWICE)).fetchone()
    if row is not None:
        raise Invalid("terminology.code-twice", code=str(row[0])[:100])
    row = await (await tx.execute(HOW_MANY)).fetchone()
    many = row is not None and row[0] > MANY
    if many:
        await tx.execute("ANALYZE staged_concept, staged_edge")
    await tx.execute(LINK)
    if many:
        await tx.execute("ANALYZE staged_link")
    await _settle(tx)
    await tx.execute(MOVE)
    await tx.execute(EMPTY)


async def _settle(tx: Connection) -> None:
    await tx.execute(TOP)
    for level in range(1, DEEPEST + 2):
        values = {"level": level, "most": MOST_ANCESTORS}
        settled = await (await tx.execute(NEXT_LEVEL, values)).fetchall()
        if any(too_many for (too_many,) in settled):
            raise Invalid("terminology.too-many-ancestors", most=MOST_ANCESTORS)
        if not settled:
            break
    left = await (await tx.execute(UNSETTLED)).fetchone()
    if left is not None:
        key = "terminology.too-deep" if settled else "terminology.circle"
        raise Invalid(key, code=str(left[0])[:100], most=DEEPEST)


def _json(values: Sequence[Any]) -> str | None:
    return msgspec.json.encode(list(values)).decode() if values else None
