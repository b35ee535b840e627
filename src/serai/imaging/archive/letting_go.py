"""Blobs deleted for good, so that none goes between being found and being referred to.

Whoever writes rows that refer to blobs takes `hold` first and, after its commit, makes sure that
the blobs are still there; whoever deletes one takes the same lock alone and looks for rows. Either
the row is committed first and the blob stays, or the blob goes first and the writer, who still has
the bytes, writes them again before it acknowledges anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from serai.platform.blobs import Blobs
from serai.platform.db import Connection, Database

# One lock for every first byte of a digest: few locks to hold, little waiting for each other.
HOLD = """SELECT pg_advisory_xact_lock_shared(723623113, bucket)
          FROM unnest(%s::integer[]) AS bucket"""
ALONE = "SELECT pg_advisory_xact_lock(723623113, %s)"
# The same bytes have the same SOP Instance UID, whose index spares one by blob.
REFERRED = """SELECT EXISTS (SELECT FROM imaging_instance WHERE uid = %(uid)s AND blob = %(blob)s)
                  OR EXISTS (SELECT FROM imaging_trash_row WHERE blob = %(blob)s)
                  OR EXISTS (SELECT FROM deidentify_object WHERE blob = %(blob)s)"""


async def hold(tx: Connection, blobs: Iterable[str]) -> None:
    """Until the transaction ends nobody deletes these blobs; the first statement of it."""
    await tx.execute(HOLD, (sorted({bucket(blob) for blob in blobs}),))


async def let_go(db: Database, blobs: Blobs, uid: str, blob: str) -> bool:
    """Delete an instance's blob unless something refers to it, now or by the next commit."""
    async with db.transaction() as tx:
        await tx.execute(ALONE, (bucket(blob),))
        row = await (await tx.execute(REFERRED, {"uid": uid, "blob": blob})).fetchone()
        if row is None or row[0]:
            return False
        await blobs.delete(blob)
    return True


def bucket(blob: str) -> int:
    """Which of the locks stands for a blob."""
    return int(blob[:2], 16)
