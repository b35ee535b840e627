"""Search values of a whole database made anew, when a migration says that they must be."""

from __future__ import annotations

import logging

from serai.fhir.store.reindexing import reindex_after
from serai.platform.db import Connection, Database

AT_ONCE = 500

# Whoever comes second waits, and then finds nothing left to do.
DUE = "SELECT due FROM fhir_index FOR UPDATE"
TYPES = "SELECT DISTINCT type FROM fhir_resource ORDER BY type"
DONE = "UPDATE fhir_index SET due = false"

log = logging.getLogger(__name__)


async def renew(db: Database, *, base: str) -> int:
    """How many resources were indexed anew: none when that is not due. All or nothing; `base`
    is this server's FHIR address."""
    async with db.transaction() as tx:
        row = await (await tx.execute(DUE)).fetchone()
        if row is None or not row[0]:
            return 0
        log.warning("search values are made anew for this version of Serai")
        types = [kind for (kind,) in await (await tx.execute(TYPES)).fetchall()]
        done = sum([await _renewed(tx, kind, base) for kind in types])
        await tx.execute(DONE)
        return done


async def _renewed(tx: Connection, kind: str, base: str) -> int:
    done, after = 0, ""
    while True:
        count, last = await reindex_after(tx, kind, after, AT_ONCE, base=base)
        done += count
        if last is None:
            return done
        after = last
