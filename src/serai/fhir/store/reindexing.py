"""Search values made anew from what is stored; no version changes and nothing else is told.

Whoever reindexes walks a type in steps, one transaction each, and keeps the last id: a walk that
was cut off goes on from there. A row that changes meanwhile was indexed by its own write.
"""

from __future__ import annotations

from serai.fhir.body import Body, decode
from serai.fhir.store import tables
from serai.fhir.store.rows import make
from serai.fhir.stored import COLUMNS, stored
from serai.platform.db import Connection

NEXT = f"""SELECT {COLUMNS} FROM fhir_resource r
    WHERE r.type = %(type)s AND r.id > %(after)s AND NOT r.deleted
    ORDER BY r.id LIMIT %(limit)s FOR UPDATE"""  # noqa: S608


async def reindex_after(
    tx: Connection, type: str, after_id: str, limit: int, *, base: str
) -> tuple[int, str | None]:
    """How many resources after that id were indexed, and the last of them; None at the end.

    For the system itself: it reads and shows nothing, so it asks for nobody's rights.
    """
    values = {"type": type, "after": after_id, "limit": limit}
    cursor = await tx.execute(NEXT, values, binary=True)
    found = [stored(row) for row in await cursor.fetchall()]
    if not found:
        return 0, None
    rows = [
        make(
            Body(one.raw, decode(one.raw)),
            id=one.id,
            version=one.version,
            at=one.last_updated,
            method=one.method,
            owner=one.owner,
            base=base,
        )
        for one in found
    ]
    await tables.reindex(tx, rows)
    return len(found), found[-1].id if len(found) == limit else None
