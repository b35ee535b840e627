"""The statements that write: one for new rows, one for new versions of rows already there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from serai.fhir.search.indexed import PositionValue, QuantityValue
from serai.fhir.store.rows import Encoded, Row
from serai.kernel.actor import Actor
from serai.platform.db import Connection

# Rows and their search values travel as JSON, contents as binary: psycopg would write array
# literals element by element. LIMIT tells the planner that few rows come, not the hundred it
# expects of json_to_recordset, for which it would rather read whole tables.
_INCOMING = """WITH incoming AS MATERIALIZED (
    SELECT t.type, t.id, t.version, t.last_updated, t.method, t.deleted, t.content, t.keys,
           t.patients,
           coalesce(t.owner, (
               SELECT CASE WHEN min(p.owner) = max(p.owner) THEN min(p.owner) END
               FROM unnest(t.patients) AS about(id)
               JOIN fhir_resource p ON p.type = 'Patient' AND p.id = about.id)) AS owner
    FROM ROWS FROM (
        json_to_recordset(%(rows)s::json) AS (
            type text, id text, version integer, last_updated timestamptz, method text,
            deleted boolean, owner text, patients text[], keys bigint[]),
        unnest(%(contents)b::bytea[])
    ) AS t(type, id, version, last_updated, method, deleted, owner, patients, keys, content)
    LIMIT %(count)s
)"""

_INDEX = """, strings AS (
    INSERT INTO fhir_string (type, param, value, exact, id, held)
    SELECT type, param, value, exact, id, held FROM json_to_recordset(%(strings)s::json)
        AS t(type text, param text, value text, exact text, id text, held bigint[])
), dates AS (
    INSERT INTO fhir_date (type, param, low, high, id, held)
    SELECT type, param, low, high, id, held FROM json_to_recordset(%(dates)s::json)
        AS t(type text, param text, low timestamptz, high timestamptz, id text, held bigint[])
), quantities AS (
    INSERT INTO fhir_quantity
        (type, param, low, high, measure, measured_low, measured_high, code, unit, held, id)
    SELECT type, param, low, high, measure, measured_low, measured_high, code, unit, held, id
    FROM json_to_recordset(%(quantities)s::json)
        AS t(type text, param text, low numeric, high numeric, measure bigint,
             measured_low numeric, measured_high numeric, code text, unit text, held bigint[],
             id text)
), positions AS (
    INSERT INTO fhir_position (type, param, latitude, longitude, id)
    SELECT type, param, latitude, longitude, id FROM json_to_recordset(%(positions)s::json)
        AS t(type text, param text, latitude float8, longitude float8, id text)
)"""

_AUDIT = """, audited AS (
    INSERT INTO audit_event
        (at, actor, actor_name, organisation, act, resource, version, patients, outcome)
    SELECT last_updated, %(actor)s, %(actor_name)s, %(organisation)s,
           %(act)s, type || '/' || id, version, patients, 'success'
    FROM incoming ORDER BY type, id
), told AS (
    INSERT INTO subscription_event (type, id, version, deleted, at)
    SELECT i.type, i.id, i.version, i.deleted, i.last_updated FROM incoming i
    WHERE CASE WHEN EXISTS (SELECT 1 FROM subscription_type s WHERE s.type = i.type)
               THEN pg_notify('subscription_event', '') IS NOT NULL ELSE false END
    ORDER BY i.type, i.id
)"""

# Their words are read by the next search for words.
_NOTE = """, noted AS (
    INSERT INTO fhir_text_pending (type, id) SELECT type, id FROM incoming
)"""

_FORGET = """, old_strings AS (
    DELETE FROM fhir_string s USING incoming i WHERE s.type = i.type AND s.id = i.id
), old_dates AS (
    DELETE FROM fhir_date d USING incoming i WHERE d.type = i.type AND d.id = i.id
), old_quantities AS (
    DELETE FROM fhir_quantity q USING incoming i WHERE q.type = i.type AND q.id = i.id
), old_positions AS (
    DELETE FROM fhir_position p USING incoming i WHERE p.type = i.type AND p.id = i.id
)"""

# A row that is there already breaks the primary key: the caller sees UniqueViolation.
INSERT_NEW = f"""{_INCOMING}{_INDEX}{_NOTE}{_AUDIT}
INSERT INTO fhir_resource
    (type, id, version, last_updated, method, deleted, owner, patients, keys, content)
SELECT type, id, version, last_updated, method, deleted, owner, patients, keys, content
FROM incoming ORDER BY type, id
RETURNING type, id, owner"""  # noqa: S608

# Each row must still be at the version before the incoming one: where somebody else was faster
# the superseded version is NULL, or already in fhir_version, and the statement fails as a whole.
# A deleted row keeps the patients it was about, so that its history stays with those who may
# see it.
REPLACE = f"""{_INCOMING}, superseded AS (
    INSERT INTO fhir_version
        (type, id, version, last_updated, method, deleted, owner, patients, content)
    SELECT i.type, i.id, r.version, r.last_updated, r.method, r.deleted, r.owner, r.patients,
           r.content
    FROM incoming i LEFT JOIN fhir_resource r
        ON r.type = i.type AND r.id = i.id AND r.version = i.version - 1
){_FORGET}{_INDEX}{_NOTE}{_AUDIT}
UPDATE fhir_resource r
SET version = i.version, last_updated = i.last_updated, method = i.method, deleted = i.deleted,
    owner = i.owner, patients = i.patients, keys = i.keys, content = i.content
FROM incoming i WHERE r.type = i.type AND r.id = i.id
RETURNING r.type, r.id, r.owner"""  # noqa: S608


# The same versions with other search values: no history and no audit line.
REINDEX = f"""{_INCOMING}{_FORGET}{_INDEX}{_NOTE}
UPDATE fhir_resource r SET keys = i.keys, patients = i.patients
FROM incoming i WHERE r.type = i.type AND r.id = i.id"""  # noqa: S608


# What a statement carries is in memory several times until it is sent.
MOST_AT_ONCE = 1000


async def write(
    tx: Connection, statement: str, rows: Sequence[Row], *, act: str, actor: Actor
) -> dict[tuple[str, str], str | None]:
    """Writes all rows in one round trip, or very many in some; returns the owner each got."""
    said = {
        "act": act,
        "actor": actor.id,
        "actor_name": actor.name,
        "organisation": actor.organisation,
    }
    if len(rows) <= MOST_AT_ONCE:
        return await _write(tx, statement, rows, said)
    # In the order in which one statement would lock them.
    ordered = sorted(rows, key=lambda row: (row.stored.type, row.stored.id))
    owners: dict[tuple[str, str], str | None] = {}
    async with tx.transaction():
        for first in range(0, len(ordered), MOST_AT_ONCE):
            some = ordered[first : first + MOST_AT_ONCE]
            owners |= await _write(tx, statement, some, said)
    return owners


async def _write(
    tx: Connection, statement: str, rows: Sequence[Row], said: dict[str, Any]
) -> dict[tuple[str, str], str | None]:
    cursor = await tx.execute(statement, _values(rows) | said)
    return {(kind, id): owner for kind, id, owner in await cursor.fetchall()}


async def reindex(tx: Connection, rows: Sequence[Row]) -> None:
    """Replaces the search values of rows that are there."""
    await tx.execute(REINDEX, _values(rows))


def _values(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "rows": _json([_row(row) for row in rows]),
        "contents": [row.stored.content for row in rows],
        "count": len(rows),
    } | _index([encoded(row) for row in rows])


def _index(rows: Sequence[Encoded]) -> dict[str, str]:
    return {
        name: f"[{b','.join(filter(None, values)).decode()}]"
        for name, values in zip(Encoded._fields, zip(*rows, strict=True), strict=True)
    }


def encoded(row: Row) -> Encoded:
    """The rows of one resource in the tables of search values."""
    return row.encoded or Encoded(
        _objects(list(_strings(row))),
        _objects(list(_dates(row))),
        _objects(list(_named(row, row.quantities))),
        _objects(list(_named(row, row.positions))),
    )


def _row(row: Row) -> dict[str, Any]:
    stored = row.stored
    return {
        "type": stored.type,
        "id": stored.id,
        "version": stored.version,
        "last_updated": stored.last_updated,
        "method": stored.method,
        "deleted": stored.deleted,
        "owner": stored.owner,
        "patients": row.patients,
        "keys": row.keys,
    }


def _strings(row: Row) -> Iterator[dict[str, Any]]:
    own = {"type": row.stored.type, "id": row.stored.id}
    for param, value, exact, held in row.strings:
        yield own | {"param": param, "value": value, "exact": exact, "held": held}


def _dates(row: Row) -> Iterator[dict[str, Any]]:
    own = {"type": row.stored.type, "id": row.stored.id}
    for param, low, high, held in row.dates:
        yield own | {"param": param, "low": low, "high": high, "held": held}


def _named(row: Row, values: Sequence[QuantityValue | PositionValue]) -> Iterator[dict[str, Any]]:
    own = {"type": row.stored.type, "id": row.stored.id}
    for one in values:
        yield own | one._asdict()


def _objects(values: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode(values)[1:-1] if values else b""


def _json(values: list[dict[str, Any]]) -> str:
    return msgspec.json.encode(values).decode()
