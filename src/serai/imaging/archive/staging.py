"""Many small objects made durable by one sync instead of several each.

The file of a small object is written without a sync; its bytes go into `imaging_staged` in the
transaction that indexes it, so that the commit which acknowledges the object makes both durable.
Later one sync of the file system serves all files written so far, and their rows go. After a
crash `restore` writes anew whatever file did not survive.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime

import structlog

from serai.imaging.archive.index import Kept
from serai.platform.blobs import Blobs
from serai.platform.db import Connection, Database

log = structlog.get_logger(__name__)

# Larger objects pay for syncs of their own less dearly than for being written twice.
STAGED_UP_TO = 256 * 1024
STAGE = """INSERT INTO imaging_staged (blob, content, staged_at)
           SELECT *, %s::timestamptz FROM unnest(%s::text[], %s::bytea[])
           ON CONFLICT (blob) DO NOTHING"""
STAGED = "SELECT blob FROM imaging_staged LIMIT 20000"
UNSTAGE = "DELETE FROM imaging_staged WHERE blob = ANY(%s)"
CONTENT = "SELECT blob, content FROM imaging_staged WHERE blob = ANY(%s)"
RESTORED_AT_ONCE = 200


async def stage(tx: Connection, kept: Sequence[Kept], now: datetime) -> None:
    """Keep the bytes of those `kept` whose files are not synced yet."""
    unsynced = {each.blob: each.received.content for each in kept if each.staged}
    if unsynced:
        blobs = sorted(unsynced)
        await tx.execute(STAGE, (now, blobs, [unsynced[blob] for blob in blobs]))


async def sync(db: Database, blobs: Blobs) -> int:
    """Sync every file staged so far and forget its row; how many there were."""
    staged = await _staged(db)
    if staged:
        await asyncio.to_thread(blobs.sync)
        async with db.connection() as connection:
            await connection.execute(UNSTAGE, (staged,))
    return len(staged)


async def restore(db: Database, blobs: Blobs) -> int:
    """Write what a crash has taken; the bytes are those that were acknowledged."""
    restored = await asyncio.to_thread(blobs.replay_log)
    staged = await _staged(db)
    for at in range(0, len(staged), RESTORED_AT_ONCE):
        some = staged[at : at + RESTORED_AT_ONCE]
        async with db.connection() as connection:
            rows = await (await connection.execute(CONTENT, (some,))).fetchall()
        for blob, content in rows:
            restored += await asyncio.to_thread(_restored, blobs, blob, content)
    if restored:
        log.warning("imaging.restored", objects=restored)
    await sync(db, blobs)
    return restored


def _restored(blobs: Blobs, blob: str, content: bytes) -> bool:
    """Whether the file had to be written again; one of the right size may hold zeros."""
    path = blobs.local(blob)
    if path and hashlib.sha256(path.read_bytes()).hexdigest() == blob:
        return False
    blobs.put_unsynced(content)
    return True


async def _staged(db: Database) -> list[str]:
    async with db.connection() as connection:
        return [blob for (blob,) in await (await connection.execute(STAGED)).fetchall()]
