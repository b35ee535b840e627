"""Everything under the keys of now: after a rotation, after another cipher was chosen, after
encryption was switched on. One job, resumable, while everybody reads and writes.

It begins when every process uses the new keys, and passes over everything once: secrets, then
objects by the first byte of their names. Replaced keys that nothing needed any more are retired.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound, Unavailable
from serai.platform.blobs import Blobs, Damaged
from serai.platform.encryption import chunks
from serai.platform.encryption.columns import SEALERS, Sealer
from serai.platform.encryption.keyring import LOOK_EVERY_S, Keyring
from serai.platform.encryption.objects import NAMES, OBJECTS, EncryptedBlobs
from serai.platform.running import Running

KIND = "renew-keys"
# Every process has looked at the table of keys by then, and has done what it was about.
SETTLED_S = 3 * LOOK_EVERY_S
# So that encrypting everything does not keep others from reading something.
BYTES_A_SECOND = 100 * 1024 * 1024
SHARDS = 256
# Little enough to do again after kill -9.
CHECKPOINT_S = 1.0

log = logging.getLogger(__name__)


async def renew(
    running: Running,
    *,
    keys: Keyring,
    stores: Sequence[Blobs],
    sealers: Sequence[Sealer] = tuple(SEALERS.values()),
    settled_s: float = SETTLED_S,
) -> timedelta | None:
    """From the checkpoint to the end."""
    encrypted = [store for store in stores if isinstance(store, EncryptedBlobs) and store.algorithm]
    if not running.job.state:
        replaced = await _settled(running, keys, settled_s)
        state = {"replaced": replaced, "sealer": 0, "after": "", "shard": 0, "stuck": []}
        async with running.db.transaction() as tx:
            await running.move(tx, state, done=0, total=len(sealers) + SHARDS * len(encrypted))
    while running.job.state["sealer"] < len(sealers):
        running.go_on()
        await _seal(running, keys, sealers)
    while running.job.state["shard"] < SHARDS * len(encrypted):
        running.go_on()
        await _encrypt(running, encrypted)
    await _retire(running, keys, has_objects=bool(encrypted))
    return None


async def _settled(running: Running, keys: Keyring, settled_s: float) -> list[str]:
    """Wait until nobody uses replaced keys for anything new; those keys."""
    while True:
        rows = await asyncio.to_thread(keys.rows)
        replaced = [row for row in rows if row.replaced_at and row.wrapped]
        newest = max((row.replaced_at for row in replaced if row.replaced_at), default=None)
        age = (utc_now() - newest).total_seconds() if newest else settled_s
        if age >= settled_s:
            return [row.id for row in replaced]
        running.go_on()
        await asyncio.sleep(min(1.0, settled_s - age))


async def _seal(running: Running, keys: Keyring, sealers: Sequence[Sealer]) -> None:
    state: dict[str, Any] = running.job.state
    async with running.db.transaction() as tx:
        step = await sealers[state["sealer"]](tx, keys, state["after"])
        stuck = sorted({*state["stuck"], *step.stuck})
        if step.found:
            state = {**state, "after": step.after, "stuck": stuck}
        else:
            state = {**state, "sealer": state["sealer"] + 1, "after": "", "stuck": stuck}
        await running.move(tx, state, done=running.job.done + (not step.found))


async def _encrypt(running: Running, stores: Sequence[EncryptedBlobs]) -> None:
    state = running.job.state
    first, stuck = state["shard"], set(state["stuck"])
    next_shard, until = first, time.monotonic() + CHECKPOINT_S
    while next_shard < SHARDS * len(stores) and (next_shard == first or time.monotonic() < until):
        which, shard = divmod(next_shard, SHARDS)
        stuck |= await encrypt_shard(stores[which], f"{shard:02x}")
        next_shard += 1
    state = {**state, "shard": next_shard, "stuck": sorted(stuck)}
    async with running.db.transaction() as tx:
        await running.move(tx, state, done=running.job.done + next_shard - first)


async def _retire(running: Running, keys: Keyring, *, has_objects: bool) -> None:
    """Objects that are not encrypted any more keep the keys they have."""
    state = running.job.state
    stuck = {id for id in state["stuck"] if id}
    of = {row.id: row.purpose for row in await asyncio.to_thread(keys.rows)}
    unused = {
        id
        for id in state["replaced"]
        if id not in stuck and (has_objects or of.get(id) not in (OBJECTS, NAMES))
    }
    if stuck:
        log.warning("%d keys stay in use by what could not be opened", len(stuck))
    await asyncio.to_thread(keys.settle, stuck, unused)


async def encrypt_shard(blobs: EncryptedBlobs, first: str) -> set[str]:
    """What lies under this byte, plain or under an older key; the keys of what stays so."""
    stuck: set[str] = set()
    async for digest, _ in blobs.plain.listed(first):
        await _encrypt_plain(blobs, digest)
    async for name, _ in blobs.sealed.listed(first):
        stuck |= await _encrypt_anew(blobs, name)
    return stuck


async def _encrypt_plain(blobs: EncryptedBlobs, digest: str) -> None:
    path = blobs.sealed.unfinished_file()
    try:
        if await blobs.spooled(blobs.plain.stream(digest), path) != digest:
            # Encrypted, nobody would see any more what is wrong with it: the scrub tells.
            return
        name = await asyncio.to_thread(blobs.name_of, digest)
        await asyncio.sleep(path.stat().st_size / BYTES_A_SECOND)
        with await asyncio.to_thread(blobs.alone, digest):
            if not await blobs.plain.has(digest):
                return
            await asyncio.to_thread(blobs.sealed.keep, path, name)
            await blobs.verify(name, digest)
            await blobs.plain.delete(digest)
    except NotFound:
        # Deleted meanwhile.
        return
    finally:
        path.unlink(missing_ok=True)


async def _encrypt_anew(blobs: EncryptedBlobs, name: str) -> set[str]:
    """The id of the key that it stays under, if it does."""
    try:
        head = await blobs.sealed.get_range(name, 0, chunks.HEADER)
    except NotFound:
        return set()
    try:
        id = chunks.key_of(head)
    except Damaged:
        return set()
    path = blobs.sealed.unfinished_file()
    try:
        await _renewed(blobs, name, head, path)
    except NotFound:
        return set()
    except Unavailable as error:
        log.warning("an object cannot be encrypted anew: %s", error.key)
        if error.key not in ("blob.damaged", "keys.unknown"):
            raise
        return {id}
    finally:
        path.unlink(missing_ok=True)
    return set()


async def _renewed(blobs: EncryptedBlobs, name: str, head: bytes, path: Path) -> None:
    found = chunks.opened(await blobs.keys.by_id(chunks.key_of(head)), head)
    key = await blobs.keys.current(OBJECTS, blobs.algorithm)
    wanted = await asyncio.to_thread(blobs.name_of, found.digest)
    if (chunks.key_of(head), name) == (key.id, wanted):
        return
    if name not in await blobs.names(found.digest):
        # Another object's, in its place.
        raise Damaged
    if await blobs.spooled(blobs.opened_stream(name, found.digest), path) != found.digest:
        raise Damaged
    await asyncio.sleep(found.length / BYTES_A_SECOND)
    with await asyncio.to_thread(blobs.alone, found.digest):
        if not await blobs.sealed.has(name):
            return
        await asyncio.to_thread(blobs.sealed.replace, path, wanted)
        if wanted != name:
            await blobs.sealed.delete(name)


async def is_due(keys: Keyring, stores: Sequence[Blobs]) -> bool:
    """Whether something may lie under an older key, or plain where it should not."""
    rows = await asyncio.to_thread(keys.rows)
    if any(row.replaced_at and not row.retired_at for row in rows):
        return True
    for store in stores:
        if not (isinstance(store, EncryptedBlobs) and store.algorithm):
            continue
        for shard in range(SHARDS):
            async for _ in store.plain.listed(f"{shard:02x}"):
                return True
    return False
