"""From a release file's lines to a code system: streamed, in one transaction, the same release
once more in place of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from serai.fhir.body import Data
from serai.fhir.terminology import artifacts, staging
from serai.fhir.terminology.staging import Concept
from serai.fhir.terminology.words import as_vector
from serai.kernel.errors import Invalid, Issue
from serai.platform.db import Connection, Database

MOST_NAMED = 20

# Names and properties that a release keeps in other files than its concepts.
CREATE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_name (
    system integer, code text COLLATE "C", value text, words text, language text, use text,
    rank integer) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_fact (
    code text COLLATE "C", property text, value text) ON COMMIT DELETE ROWS;
"""
COPY_NAMES = """COPY staged_name (system, code, value, words, language, use, rank) FROM STDIN"""
COPY_FACTS = "COPY staged_fact (code, property, value) FROM STDIN"

# The name of the lowest rank is the display; all of them are found by a filter.
JOIN_NAMES = """WITH named AS (
        SELECT code, (array_agg(value ORDER BY rank, value))[1] AS display,
            string_agg(words, ' ') AS words,
            jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'language', language, 'value', value,
                'use', CASE WHEN use IS NOT NULL THEN jsonb_build_object(
                    'system', 'http://snomed.info/sct', 'code', use) END))
                ORDER BY rank, value) AS designations
        FROM staged_name GROUP BY code)
    UPDATE staged_concept c SET display = coalesce(c.display, n.display),
        words = c.words || ' ' || n.words, designations = n.designations
    FROM named n WHERE n.code = c.code"""
JOIN_FACTS = """WITH said AS (
        SELECT code, array_agg(DISTINCT property || '=' || value) || array_agg(DISTINCT property)
            AS facts,
            jsonb_agg(jsonb_build_object('code', property, 'valueCode', value)) AS properties
        FROM staged_fact GROUP BY code)
    UPDATE staged_concept c SET facts = c.facts || s.facts,
        properties = coalesce(c.properties, '[]') || s.properties
    FROM said s WHERE s.code = c.code"""
COUNT = "SELECT count(*) FROM terminology_concept WHERE system = %s"


@dataclass(slots=True)
class Bad:
    """Lines that cannot be used, by file and number; the first ones are named."""

    issues: list[Issue] = field(default_factory=list)
    count: int = 0

    def add(self, file: str, line: int, reason: str) -> None:
        self.count += 1
        if len(self.issues) < MOST_NAMED:
            place = f"{file}:{line}"
            self.issues.append(
                Issue("structure", "terminology.bad-line", path=place, details={"reason": reason})
            )

    def refuse(self) -> None:
        if self.issues:
            raise Invalid(
                "terminology.bad-release", issues=tuple(self.issues), count=str(self.count)
            )


@dataclass(slots=True)
class Loading:
    """One release on its way in."""

    tx: Connection
    system: int
    bad: Bad = field(default_factory=Bad)
    total: int = 0

    async def concepts(self, concepts: Iterable[Concept]) -> None:
        async with staging.copying(self.tx, staging.COPY_CONCEPTS) as copy:
            for one in concepts:
                await copy.concept(self.system, one)

    async def edges(self, edges: Iterable[tuple[str, str]]) -> None:
        """Child and parent."""
        async with staging.copying(self.tx, staging.COPY_EDGES) as copy:
            for child, parent in edges:
                await copy.edge(self.system, child, parent)

    async def names(self, names: Iterable[tuple[str, str, str | None, str | None, int]]) -> None:
        """Code, name, language, use and rank."""
        async with self.tx.cursor() as cursor, cursor.copy(COPY_NAMES) as copy:
            for code, value, language, use, rank in names:
                row = (self.system, code, value, as_vector([value]), language, use, rank)
                await copy.write_row(row)
        await self.tx.execute(JOIN_NAMES)

    async def facts(self, facts: Iterable[tuple[str, str, str]]) -> None:
        """Code, property and value."""
        async with self.tx.cursor() as cursor, cursor.copy(COPY_FACTS) as copy:
            for one in facts:
                await copy.write_row(one)
        await self.tx.execute(JOIN_FACTS)


@asynccontextmanager
async def loading(db: Database, system: Data) -> AsyncIterator[Loading]:
    """Everything or nothing: the whole release becomes known when the block ends."""
    data = {"resourceType": "CodeSystem", "status": "active", "content": "complete", **system}
    async with db.transaction() as tx:
        id = await artifacts.keep_release(tx, data)
        await staging.begin(tx)
        await tx.execute(CREATE)
        one = Loading(tx, id)
        yield one
        one.bad.refuse()
        await staging.finish(tx)
        row = await (await tx.execute(COUNT, (id,))).fetchone()
        one.total = int(row[0]) if row else 0
    async with db.connection() as connection:
        await connection.execute("ANALYZE terminology_concept")


def concept(code: str, display: str | None, position: int, *names: str, **facts: str) -> Concept:
    """One concept with plain properties; empty values say nothing."""
    said = {name: value for name, value in facts.items() if value}
    return Concept(
        code=code,
        display=display,
        position=position,
        words=as_vector([display or "", *names]),
        facts=[*said, *(f"{name}={value}" for name, value in said.items())],
        properties=[{"code": name, "valueString": value} for name, value in said.items()],
    )
