"""Codes above, below and within, for the search modifiers (R4 §3.1.1.5.10)."""

from __future__ import annotations

from serai.fhir.terminology.compose import Composer
from serai.fhir.terminology.known import resolve
from serai.fhir.terminology.running import run
from serai.kernel.errors import NotFound, TooLarge
from serai.platform.db import Connection

DESCENDANTS = """SELECT c.code FROM terminology_concept c
    WHERE c.system = %(system)s AND c.ancestors @> ARRAY[(
        SELECT id FROM terminology_concept WHERE system = %(system)s AND code = %(code)s)]
    ORDER BY c.code LIMIT %(most)s + 1"""

ANCESTORS = """SELECT above.code FROM terminology_concept c
    CROSS JOIN LATERAL unnest(c.ancestors) AS up(id)
    JOIN terminology_concept above ON above.id = up.id
    WHERE c.system = %(system)s AND c.code = %(code)s ORDER BY above.code LIMIT %(most)s + 1"""


async def expansion_codes(
    connection: Connection, value_set_url: str, *, most: int
) -> list[tuple[str, str]]:
    """System and code of every member; TooLarge for more than `most`, NotFound for a value set
    that cannot be told here in full."""
    known = await resolve(connection, sets=[value_set_url])
    composer = Composer(known, strict=True)
    composed = composer.compose(value_set_url)
    if composed.unjudged:
        raise NotFound("terminology.incomplete", url=sorted(composed.unjudged)[0][:200])
    sql = f"SELECT DISTINCT x.system, x.code FROM ({composed.sql}) x LIMIT {composer.put(most + 1)}"  # noqa: S608
    found = await run(connection, sql, composer.values, bounded=composed.has_regex)
    return [(system, code) for system, code in _bounded(found, most)]


async def descendants(connection: Connection, system: str, code: str, *, most: int) -> list[str]:
    """Every code below `code`, itself left out; none for a code that is not known here."""
    return await _related(connection, DESCENDANTS, system, code, most)


async def ancestors(connection: Connection, system: str, code: str, *, most: int) -> list[str]:
    """Every code above `code`, itself left out; none for a code that is not known here."""
    return await _related(connection, ANCESTORS, system, code, most)


async def _related(
    connection: Connection, statement: str, system: str, code: str, most: int
) -> list[str]:
    known = (await resolve(connection, systems=[system])).system(system)
    if known is None:
        return []
    values = {"system": known.id, "code": code, "most": most}
    found = await (await connection.execute(statement, values)).fetchall()
    return [one for (one,) in _bounded(found, most)]


def _bounded(found: list[tuple[str, ...]], most: int) -> list[tuple[str, ...]]:
    if len(found) > most:
        raise TooLarge("terminology.too-costly", most=most)
    return found
