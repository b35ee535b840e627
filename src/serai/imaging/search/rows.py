"""The index searched: what the actor may see of what was asked for, in a stable order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg.sql import Literal

from serai.fhir import visibility
from serai.imaging.archive.archive import COUNTED
from serai.imaging.search.conditions import conditions
from serai.imaging.search.keys import Level, Match
from serai.imaging.search.query import Filter, Query
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
    Level.STUDY: "study_date DESC NULLS LAST, study",
    Level.SERIES: "study_date DESC NULLS LAST, study, series_number NULLS LAST, series",
    Level.INSTANCE: """study_date DESC NULLS LAST, study, series_number NULLS LAST, series,
        number NULLS LAST, instance""",
}
ORDER_OF_PATIENTS: Final = "s.patient_id, s.issuer, s.owner, s.study_date DESC NULLS LAST, s.uid"
STORED: Final = "i.uid, i.sop_class, i.transfer_syntax, i.blob, i.size"
PLACE: Final = {
    Level.STUDY: "s.study_date, s.uid AS study",
    Level.SERIES: "s.study_date, s.uid AS study, e.number AS series_number, e.uid AS series",
    Level.INSTANCE: """s.study_date, s.uid AS study, e.number AS series_number, e.uid AS series,
        i.number, i.uid AS instance""",
}
# The rest of a row is read for the page only, not for what the page leaves out before it.
OF_PAGE: Final = {
    Level.STUDY: "s.uid = page.study",
    Level.SERIES: "s.uid = page.study AND e.study_uid = page.study AND e.uid = page.series",
    Level.INSTANCE: """s.uid = page.study AND e.study_uid = page.study AND e.uid = page.series
        AND i.uid = page.instance""",
}
VISIBLE: Final = """EXISTS (SELECT 1 FROM fhir_resource r
    WHERE r.type = 'ImagingStudy' AND r.id = s.resource AND NOT r.deleted AND {clause})"""
# What an organisation can see at all comes by one of these ways, each in order of the page by an
# index of its own, so that what others have costs it nothing. VISIBLE decides on every row.
# The organisation is written out, so that the plan knows whether it has much or little.
WAYS: Final = (
    "s.owner = {organisation}",
    "s.custodian = {organisation}",
    "s.custodian = '?'",
    """s.resource = ANY (ARRAY(
        SELECT shared.id FROM fhir_share shared
        WHERE shared.organisation = {organisation} AND shared.type = 'ImagingStudy'
          AND shared.closed_at IS NULL))""",
)
# Behind so many rows, putting the ways together costs more than looking at every study once.
DEEP: Final = 10_000
# Such a value leaves so few rows that its own index serves better than the order of the page.
FEW: Final = (Match.TEXT, Match.UIDS, Match.NAME)
FEW_COLUMNS: Final = ("s.uid", "s.patient_id", "s.name", "s.accession", "e.uid", "i.uid")


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
    return (clause, {}) if not values else (VISIBLE.format(clause=clause), values)


async def rows(db: Database, query: Query, actor: Actor) -> list[tuple[Any, ...]]:
    """One row more than asked for, to know whether there is more."""
    return await _select(db, COLUMNS[query.level], query, actor, query.limit + 1)


async def stored(db: Database, query: Query, actor: Actor) -> list[StoredObject]:
    """Where the bytes of the instances lie that a query at instance level finds."""
    return [StoredObject(*row) for row in await _select(db, STORED, query, actor, query.limit)]


async def _select(
    db: Database, columns: str, query: Query, actor: Actor, limit: int
) -> list[tuple[Any, ...]]:
    written = conditions(query.filters, fuzzy=query.fuzzy_asked)
    seen, values = visible(actor)
    condition = f"{written.sql} AND {seen}"
    if query.level is Level.PATIENT:
        statement = (
            f"SELECT {columns} FROM {TABLES[query.level]} WHERE {condition} "  # noqa: S608
            f"ORDER BY {ORDER_OF_PATIENTS} LIMIT {limit} OFFSET {query.offset}"
        )
    else:
        organisation = actor.organisation if values else None
        page = _page(query, condition, organisation, limit)
        statement = (
            f"SELECT {columns} FROM ({page}) AS page, {TABLES[query.level]} "  # noqa: S608
            f"WHERE {OF_PAGE[query.level]} ORDER BY {_of_page(ORDER[query.level])}"
        )
    async with (
        db.connection() as connection,
        connection.cursor(binary=True) as cursor,
    ):
        await cursor.execute(statement.encode(), {**written.parameters, **values})
        return await cursor.fetchall()


def _page(query: Query, condition: str, organisation: str | None, limit: int) -> str:
    """`organisation` is who sees only a part of what is there."""
    # Limit and offset are written out (both are numbers of ours by now): only then does a plan
    # made without values know that a page is little.
    last = query.offset + limit
    if organisation is not None and last <= DEEP and not _leaves_few(query.filters):
        named = Literal(organisation).as_string().replace("%", "%%")
        ways = (
            _places(query.level, f"{way.format(organisation=named)} AND {condition}", last)
            for way in WAYS
        )
        # A study can come by two ways; the union leaves it once.
        found = " UNION ".join(f"({way})" for way in ways)
    else:
        found = _places(query.level, condition, last)
    return (
        f"SELECT * FROM ({found}) found ORDER BY {ORDER[query.level]} "  # noqa: S608
        f"LIMIT {limit} OFFSET {query.offset}"
    )


def _places(level: Level, condition: str, limit: int) -> str:
    return (
        f"SELECT {PLACE[level]} FROM {TABLES[level]} WHERE {condition} "  # noqa: S608
        f"ORDER BY {ORDER[level]} LIMIT {limit}"
    )


def _of_page(order: str) -> str:
    return ", ".join(f"page.{each.strip()}" for each in order.split(","))


def _leaves_few(filters: Sequence[Filter]) -> bool:
    return any(
        each.key.match in FEW and each.key.column in FEW_COLUMNS and each.value[:1] not in "*?"
        for each in filters
    )
