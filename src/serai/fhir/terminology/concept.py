"""Single concepts of a code system, with what stands above and below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serai.fhir.body import Data
from serai.fhir.search.folding import fold
from serai.fhir.terminology.known import System
from serai.platform.db import Connection

CONCEPTS = """SELECT code, display, definition, inactive, abstract, designations, properties, facts
    FROM terminology_concept WHERE system = %s AND code = ANY(%s::text[])"""

WITH_CHILDREN = """SELECT c.code, c.display, c.definition, c.inactive, c.abstract, c.designations,
        c.properties, c.facts, ARRAY(
            SELECT below.code FROM terminology_concept below
            WHERE below.system = c.system AND below.facts @> ARRAY['parent=' || c.code]
            ORDER BY below.position LIMIT 1000)
    FROM terminology_concept c WHERE c.system = %s AND c.code = %s"""

SUBSUMES = """SELECT a.id = b.id, a.id = ANY(b.ancestors), b.id = ANY(a.ancestors)
    FROM terminology_concept a, terminology_concept b
    WHERE a.system = %(system)s AND a.code = %(a)s AND b.system = %(system)s AND b.code = %(b)s"""


@dataclass(frozen=True, slots=True)
class Found:
    """A concept as it is kept."""

    code: str
    display: str | None
    definition: str | None
    inactive: bool
    abstract: bool
    designations: list[Data] | None
    properties: list[Data] | None
    facts: list[str]
    children: Sequence[str] = ()

    @property
    def parents(self) -> list[str]:
        return [one.removeprefix("parent=") for one in self.facts if one.startswith("parent=")]

    def is_called(self, display: str) -> bool:
        """Whether that is one of its names; case and accents do not matter."""
        names = [self.display or "", *(one["value"] for one in self.designations or [])]
        return fold(display) in {fold(name) for name in names}


async def concepts(connection: Connection, system: System, codes: list[str]) -> dict[str, Found]:
    rows = await (await connection.execute(CONCEPTS, (system.id, codes))).fetchall()
    return {row[0]: Found(*row) for row in rows}


async def concept(connection: Connection, system: System, code: str) -> Found | None:
    """One concept, its children included."""
    row = await (await connection.execute(WITH_CHILDREN, (system.id, code))).fetchone()
    return Found(*row) if row else None


async def subsumption(connection: Connection, system: System, a: str, b: str) -> str | None:
    """A concept-subsumption-outcome code, None when one of them is not known."""
    values = {"system": system.id, "a": a, "b": b}
    row = await (await connection.execute(SUBSUMES, values)).fetchone()
    if row is None:
        return None
    outcomes = ("equivalent", "subsumes", "subsumed-by")
    return next((one for one, holds in zip(outcomes, row, strict=True) if holds), "not-subsumed")
