"""Everything comes under the keys of now, while it is read and written, whatever interrupts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.imaging.keeping.working import again, begun
from tests.platform.encryption.test_objects import (
    CANARY,
    PICTURE,
    blobs_at,
    holding,
    objects,
    whole,
)

from serai.kernel.clock import utc_now
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.encryption import columns, keyring, renewing
from serai.platform.encryption.chunks import HEADER, key_of
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.objects import EncryptedBlobs
from serai.platform.encryption.sealing import Place, opened, sealed
from serai.platform.running import Paused

SEED = b"JBSWY3DPEHPK3PXP"


def keys_of(home: Path) -> set[str]:
    return {key_of(path.read_bytes()[:HEADER]) for path in objects(home)}


async def renew(db: Database, keys: Keyring, *stores: Blobs) -> None:
    job = await begun(db, renewing.KIND)
    await renewing.renew(job, keys=keys, stores=stores, settled_s=0)


def add_account(url: str, id: str, content: bytes) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO account_totp (account, sealed, begun_at) VALUES (%s, %s, %s)",
            (id, content, utc_now()),
        )


def totp(id: str) -> Place:
    return Place("accounts", "account_totp", "sealed", id)


async def kept(db: Database, id: str) -> bytes:
    async with db.connection() as connection:
        query = "SELECT sealed FROM account_totp WHERE account = %s"
        row = await (await connection.execute(query, (id,))).fetchone()
    assert row
    return bytes(row[0])


async def test_after_a_rotation_nothing_needs_the_old_keys(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    blobs = blobs_at(tmp_path, database_url)
    assert isinstance(blobs, EncryptedBlobs)
    keys = blobs.keys
    digests = [await blobs.put(PICTURE + bytes([n])) for n in range(5)]
    box = await sealed(keys, SEED, totp("dr-li"))
    add_account(database_url, "dr-li", box)
    old = {row.id for row in keys.rows()}
    names = {path.name for path in objects(tmp_path)}

    keys.rotate()
    assert await renewing.is_due(keys, [blobs])
    await renew(db, keys, blobs)

    assert {row.id for row in keys.rows() if row.retired_at} == old
    assert not await renewing.is_due(keys, [blobs])
    assert names.isdisjoint(path.name for path in objects(tmp_path))
    assert len(objects(tmp_path)) == 5
    assert {keys.destroy(id) for id in old} == {True}
    # Another process, which knows only what the table says now.
    fresh = blobs_at(tmp_path, database_url)
    assert [await fresh.get(digest) for digest in digests] == [
        PICTURE + bytes([n]) for n in range(5)
    ]
    assert await opened(keys, await kept(db, "dr-li"), totp("dr-li")) == SEED


async def test_what_cannot_be_opened_keeps_its_key(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    blobs = blobs_at(tmp_path, database_url)
    assert isinstance(blobs, EncryptedBlobs)
    await blobs.put(PICTURE)
    (path,) = objects(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    damaged = keys_of(tmp_path)
    blobs.keys.rotate()
    await renew(db, blobs.keys, blobs)
    assert path.exists()
    retired = {row.id for row in blobs.keys.rows() if row.retired_at}
    assert damaged.isdisjoint(retired)


async def test_what_lay_there_plain_is_encrypted_and_another_cipher_takes_over(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    digest = await blobs_at(tmp_path, database_url, "off").put(PICTURE)
    blobs = blobs_at(tmp_path, database_url)
    assert isinstance(blobs, EncryptedBlobs)
    assert await renewing.is_due(blobs.keys, [blobs])
    await renew(db, blobs.keys, blobs)
    assert holding(tmp_path, CANARY) == []
    assert await blobs.get(digest) == PICTURE

    changed = blobs_at(tmp_path, database_url, "sm4-gcm")
    assert isinstance(changed, EncryptedBlobs)
    await renew(db, changed.keys, changed)
    algorithms = {row.id: row.algorithm for row in changed.keys.rows()}
    assert {algorithms[id] for id in keys_of(tmp_path)} == {"sm4-gcm"}
    assert await changed.get(digest) == PICTURE == await whole(changed, digest)


async def test_a_pause_goes_on_from_its_checkpoint(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    blobs = blobs_at(tmp_path, database_url)
    assert isinstance(blobs, EncryptedBlobs)
    await blobs.put(PICTURE)
    blobs.keys.rotate()
    job = await begun(db, renewing.KIND)
    job.stop.set()
    with pytest.raises(Paused):
        await renewing.renew(job, keys=blobs.keys, stores=[blobs], settled_s=0)
    taken_up = await again(db, job.job.id)
    await renewing.renew(taken_up, keys=blobs.keys, stores=[blobs], settled_s=0)
    assert taken_up.job.done == taken_up.job.total
    assert len(keys_of(tmp_path)) == 1


async def test_keys_rotate_while_others_read_and_write(
    db: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "LOOK_EVERY_S", 0.05)
    mine, theirs = blobs_at(tmp_path, database_url), blobs_at(tmp_path, database_url)
    assert isinstance(mine, EncryptedBlobs)
    digests = [await mine.put(PICTURE + bytes([n])) for n in range(4)]
    stop = asyncio.Event()

    async def read() -> int:
        rounds = 0
        while not stop.is_set():
            for number, digest in enumerate(digests):
                content = PICTURE + bytes([number])
                assert await theirs.get(digest) == content == await whole(theirs, digest)
                assert await theirs.get_range(digest, 100_000, 9) == content[100_000:100_009]
            rounds += 1
        return rounds

    async def write() -> list[str]:
        written: list[str] = []
        while not stop.is_set():
            written.append(await theirs.put(os.urandom(100_000)))
        return written

    reading, writing = asyncio.create_task(read()), asyncio.create_task(write())
    await asyncio.to_thread(mine.keys.rotate)
    await asyncio.sleep(0.2)
    await renew(db, mine.keys, mine)
    stop.set()
    assert await reading
    for digest in await writing:
        assert await mine.has(digest)
    current = {row.id for row in mine.keys.rows() if row.replaced_at is None}
    assert keys_of(tmp_path) <= current


KILLED = """import asyncio, os, sys
from pathlib import Path
from tests.platform.encryption.test_objects import blobs_at
from serai.platform.encryption import renewing
from serai.platform.encryption.objects import EncryptedBlobs
blobs = blobs_at(Path(sys.argv[1]), sys.argv[2])
left = int(sys.argv[3])
for place, name in ((blobs.sealed, "keep"), (blobs.sealed, "replace"), (blobs.plain, "delete")):
    def counted(*args, act=getattr(place, name)):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return act(*args)
    setattr(place, name, counted)
async def run():
    for shard in range(256):
        await renewing.encrypt_shard(blobs, f"{shard:02x}")
asyncio.run(run())"""


@pytest.mark.parametrize("steps", [1, 2, 5])
async def test_killed_in_the_middle_nothing_is_lost_and_the_next_run_ends_it(
    steps: int, db: Database, database_url: str, tmp_path: Path
) -> None:
    plain = [
        await blobs_at(tmp_path, database_url, "off").put(PICTURE + b"p%d" % n) for n in range(2)
    ]
    blobs = blobs_at(tmp_path, database_url)
    assert isinstance(blobs, EncryptedBlobs)
    older = [await blobs.put(PICTURE + b"s%d" % n) for n in range(2)]
    blobs.keys.rotate()
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, str(tmp_path), database_url, str(steps)]
    )
    assert killed.returncode == -9
    for digest in [*plain, *older]:
        assert (await blobs.get(digest)).startswith(PICTURE)
    await renew(db, blobs.keys, blobs)
    for digest in [*plain, *older]:
        assert (await blobs.get(digest)).startswith(PICTURE)
    assert len(objects(tmp_path)) == 4
    assert len(keys_of(tmp_path)) == 1
    assert [
        path for path in holding(tmp_path, CANARY) if path.parent.name != "blobs.unfinished"
    ] == []


async def test_what_is_deleted_while_it_is_encrypted_anew_does_not_come_back(
    database_url: str, tmp_path: Path
) -> None:
    blobs = blobs_at(tmp_path, database_url)
    assert isinstance(blobs, EncryptedBlobs)
    digest = await blobs.put(PICTURE)
    await asyncio.to_thread(blobs.keys.rotate)
    (path,) = objects(tmp_path)
    spool = blobs.spooled

    async def deleted_meanwhile(*args: object) -> object:
        done = await spool(*args)  # type: ignore[arg-type]
        await blobs.delete(digest)
        return done

    blobs.spooled = deleted_meanwhile  # type: ignore[method-assign, assignment]
    await renewing.encrypt_shard(blobs, path.name[:2])
    assert objects(tmp_path) == []
    assert list((tmp_path / "sealed" / "blobs.unfinished").iterdir()) == []


async def test_secrets_of_an_earlier_version_are_sealed_at_the_start(
    db: Database, database_url: str, keys: Keyring, tmp_path: Path
) -> None:
    identity, nonce = os.urandom(32), os.urandom(12)
    (tmp_path / "identity.key").write_text(identity.hex())
    earlier = nonce + AESGCM(identity).encrypt(nonce, SEED, b"dr-li")
    add_account(database_url, "dr-li", earlier)
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO deidentify_secret_key VALUES ('study', %s)", (bytes(range(32)),)
        )
        connection.execute(
            "INSERT INTO encryption_due VALUES ('account_totp'), ('deidentify_secret_key')"
        )
    for _ in range(2):
        await columns.seal_what_is_plain(db, keys)
        assert await opened(keys, await kept(db, "dr-li"), totp("dr-li")) == SEED
    with psycopg.connect(database_url) as connection:
        ((box,),) = connection.execute("SELECT key FROM deidentify_secret_key").fetchall()
        assert connection.execute("SELECT count(*) FROM encryption_due").fetchone() == (0,)
    place = Place("deidentification", "deidentify_secret_key", "key", "study")
    assert await opened(keys, box, place) == bytes(range(32))
