"""Search values of current versions, made anew from what is stored."""

from __future__ import annotations

from typing import Any

import msgspec

from serai.fhir.body import Body, decode
from serai.fhir.store.rows import Row, make
from serai.platform.db import Connection

# Locked, so that no write changes a row between being read and being indexed.
BATCH = """SELECT r.id, r.version, r.last_updated, r.method, r.owner, r.content
    FROM fhir_resource r WHERE r.type = %(type)s AND r.id > %(after)s
    ORDER BY r.id LIMIT %(limit)s FOR UPDATE"""

# The owner stays; only what searching and the compartment read is made anew.
INDEX = """WITH incoming AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json)
        AS t(id text, patients text[], keys bigint[])
), old_strings AS (
    DELETE FROM fhir_string s USING incoming i WHERE s.type = %(type)s AND s.id = i.id
), old_dates AS (
    DELETE FROM fhir_date d USING incoming i WHERE d.type = %(type)s AND d.id = i.id
), strings AS (
    INSERT INTO fhir_string (type, param, value, exact, id)
    SELECT %(type)s, param, value, exact, id FROM json_to_recordset(%(strings)s::json)
        AS t(param text, value text, exact text, id text)
), dates AS (
    INSERT INTO fhir_date (type, param, low, high, id)
    SELECT %(type)s, param, low, high, id FROM json_to_recordset(%(dates)s::json)
        AS t(param text, low timestamptz, high timestamptz, id text)
)
UPDATE fhir_resource r SET patients = i.patients, keys = i.keys
FROM incoming i WHERE r.type = %(type)s AND r.id = i.id"""


async def reindex_after(
    tx: Connection, type: str, after_id: str, limit: int, *, base: str
) -> tuple[int, str | None]:
    """Re-index the next `limit` resources of the type after an id; how many that were, and the
    last id, None when the type ends here."""
    values = {"type": type, "after": after_id, "limit": limit}
    found = await (await tx.execute(BATCH, values, binary=True)).fetchall()
    rows = [_row(base, one) for one in found if one[5] is not None]
    if rows:
        await tx.execute(INDEX, _values(type, rows))
    return len(found), found[-1][0] if len(found) == limit else None


def _row(base: str, found: tuple[Any, ...]) -> Row:
    id, version, at, method, owner, content = found
    body = Body(content, decode(content))
    return make(body, id=id, version=version, at=at, method=method, owner=owner, base=base)


def _values(type: str, rows: list[Row]) -> dict[str, Any]:
    return {
        "type": type,
        "rows": _json(
            [{"id": one.stored.id, "patients": one.patients, "keys": one.keys} for one in rows]
        ),
        "strings": _json(
            [
                {"id": one.stored.id, "param": param, "value": value, "exact": exact}
                for one in rows
                for param, value, exact in one.strings
            ]
        ),
        "dates": _json(
            [
                {"id": one.stored.id, "param": param, "low": low, "high": high}
                for one in rows
                for param, low, high in one.dates
            ]
        ),
    }


def _json(values: list[dict[str, Any]]) -> str:
    return msgspec.json.encode(values).decode()
