"""A study in hand: its row, held for somebody who sees it and may change it."""

from __future__ import annotations

from typing import Any

from serai.fhir import visibility
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden, NotFound
from serai.platform.db import Connection

# Nobody adds to the study, nor settles it, until the transaction ends.
TAKE = """SELECT s.resource, {columns} FROM imaging_study s
          WHERE s.uid = %(study)s AND EXISTS (
              SELECT 1 FROM fhir_resource r
              WHERE r.type = 'ImagingStudy' AND r.id = s.resource AND NOT r.deleted AND {visible})
          FOR UPDATE OF s"""
MAY_CHANGE = """SELECT 1 FROM fhir_resource r
                WHERE r.type = 'ImagingStudy' AND r.id = %(resource)s AND {clause}"""


async def held(tx: Connection, study: str, columns: str, *, actor: Actor) -> tuple[Any, ...]:
    """The id of its ImagingStudy, and these columns of `s`."""
    seen, values = visibility.clause(actor, "r")
    statement = TAKE.format(columns=columns, visible=seen).encode()
    row = await (await tx.execute(statement, {"study": study, **values})).fetchone()
    if row is None:
        raise NotFound("wado.nothing-there")
    clause, values = visibility.change_clause(actor, "r")
    allowed = MAY_CHANGE.format(clause=clause).encode()
    if not await (await tx.execute(allowed, {"resource": row[0], **values})).fetchone():
        raise Forbidden("imaging.not-yours-to-change", study=study)
    return row
