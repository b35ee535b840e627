"""The index searched: what the actor may see of what was asked for, in a stable order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from serai.fhir import visibility
from serai.imaging.archive.archive import COUNTED
from serai.imaging.search.conditions import conditions
from serai.imaging.search.keys import Level
from serai.imaging.search.query import Query
from serai.kernel.actor import Actor
from serai.platform.db import Database

TABLES: Final = {
    Level.PATIENT: "imaging_study s",
    Level.STUDY: "imaging_study s",
    Level.SERIES: "imaging_study s JOIN imaging_series e ON e.study_uid = s.uid",
    Level.INSTANCE: """imaging_study s JOIN imaging_series e ON e.study_uid = s.uid
        JOIN imaging_instance i ON i.study_uid = e.study_uid AND i.series_uid = e.uid""",
}
COLUMNS: Final = {
    # One number at two hospitals is two people, and so are two issuers' numbers.
    Level.PATIENT: """DISTINCT ON (s.patient_id, s.issuer, s.owner) s.attributes::text,
        count(*) OVER (PARTITION BY s.patient_id, s.issuer, s.owner)""",
    Level.STUDY: f"s.attributes::text, s.modalities, {COUNTED}",
    Level.SERIES: """s.attributes::text, e.attributes::text, s.uid, e.uid,
        (SELECT count(*) FROM imaging_instance c
         WHERE c.study_uid = e.study_uid AND c.series_uid = e.uid)""",
    Level.INSTANCE: "s.attributes::text, e.attributes::text, i.metadata, s.uid, e.uid, i.uid",
}
# The same order on every page, whatever arrives between them is at most one page's matter.
ORDER: Final = {
    Level.PATIENT: "s.patient_id, s.issuer, s.owner, s.study_date DESC NULLS LAST, s.uid",
    Level.STUDY: "s.study_date DESC NULLS LAST, s.uid",
    Level.SERIES: "s.study_date DESC NULLS LAST, s.uid, e.number NULLS LAST, e.uid",
    Level.INSTANCE: """s.study_date DESC NULLS LAST, s.uid, e.number NULLS LAST, e.uid,
        i.number NULLS LAST, i.uid""",
}
STORED: Final = "i.uid, i.sop_class, i.transfer_syntax, i.blob, i.size"
VISIBLE: Final = """EXISTS (SELECT 1 FROM fhir_resource r
    WHERE r.type = 'ImagingStudy' AND r.id = s.resource AND NOT r.deleted AND {clause})"""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One instance and the blob that holds it."""

    uid: str
    sop_class: str
    transfer_syntax: str
    blob: str
    size: int


def visible(actor: Actor) -> tuple[str, dict[str, Any]]:
    """Condition on `s`: its ImagingStudy is visible to the actor."""
    clause, values = visibility.clause(actor, "r")
    # Whoever sees everything needs no look at the resource: it stays while pictures do.
    return ("TRUE", {}) if clause == "TRUE" else (VISIBLE.format(clause=clause), values)


async def rows(db: Database, query: Query, actor: Actor) -> list[tuple[Any, ...]]:
    """One row more than asked for, to know whether there is more."""
    return await _select(db, COLUMNS[query.level], query, actor, query.limit + 1)


async def stored(db: Database, query: Query, actor: Actor) -> list[StoredObject]:
    """Where the bytes of the instances lie that a query at instance level finds."""
    return [StoredObject(*row) for row in await _select(db, STORED, query, actor, query.limit)]


async def _select(
    db: Database, columns: str, query: Query, actor: Actor, limit: int
) -> list[tuple[Any, ...]]:
    written = conditions(query.filters)
    seen, values = visible(actor)
    level = query.level
    statement = (
        f"SELECT {columns} FROM {TABLES[level]} WHERE {written.sql} AND {seen} "  # noqa: S608
        f"ORDER BY {ORDER[level]} LIMIT %(limit)s OFFSET %(offset)s"
    )
    bounds = {"limit": limit, "offset": query.offset}
    async with (
        db.connection() as connection,
        connection.cursor(binary=True) as cursor,
    ):
        await cursor.execute(statement.encode(), {**written.parameters, **values, **bounds})
        return await cursor.fetchall()
