"""Search values of a whole database made anew, when a migration says that they must be.

In steps, each a transaction with its checkpoint: a start that is cut off, by a power cut or by
somebody who lost patience, goes on where it was, and no step holds more than its own rows.
"""

from __future__ import annotations

import logging

from serai.fhir.store.reindexing import reindex_after
from serai.platform.db import Connection, Database

AT_ONCE = 500

# Whoever comes second waits for the step under way and takes the next: they share the work.
DUE = "SELECT type, after FROM fhir_index WHERE due FOR UPDATE"
FOLLOWING = "SELECT type FROM fhir_resource WHERE type > %s ORDER BY type LIMIT 1"
CHECKPOINT = "UPDATE fhir_index SET type = %s, after = %s"
DONE = "UPDATE fhir_index SET due = false, type = '', after = ''"

log = logging.getLogger(__name__)


async def renew(db: Database, *, base: str, at_once: int = AT_ONCE) -> int:
    """How many resources were indexed anew here: none when that is not due. `base` is this
    server's FHIR address."""
    done = 0
    while (count := await _step(db, base, at_once)) is not None:
        if not done:
            log.warning("search values are made anew for this version of Serai")
        done += count
    return done


async def _step(db: Database, base: str, at_once: int) -> int | None:
    """How many resources it took; None when nothing is due."""
    async with db.transaction() as tx:
        row = await (await tx.execute(DUE)).fetchone()
        if row is None:
            return None
        kind, after = row
        count, last = await reindex_after(tx, kind, after, at_once, base=base)
        if last is not None:
            await tx.execute(CHECKPOINT, (kind, last))
        elif (following := await _following(tx, kind)) is not None:
            await tx.execute(CHECKPOINT, (following, ""))
        else:
            await tx.execute(DONE)
        return count


async def _following(tx: Connection, kind: str) -> str | None:
    row = await (await tx.execute(FOLLOWING, (kind,))).fetchone()
    return row[0] if row else None
