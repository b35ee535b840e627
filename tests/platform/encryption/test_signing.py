"""Signatures: by whom, over what, and what a replaced key signed."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from serai.kernel.errors import Unavailable
from serai.platform.db import Database
from serai.platform.encryption import signing
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.signing import DISTINGUISHING_ID, ED25519, SM2

CHECKPOINT = b"audit 1..1000 abcdef"


@pytest.mark.parametrize("algorithm", [ED25519, SM2])
async def test_a_signature_stands_for_its_message_and_key_alone(
    algorithm: str, db: Database, keys: Keyring
) -> None:
    if algorithm == SM2 and not signing.has_sm2():
        pytest.skip("no OpenSSL 3 here")
    async with db.transaction() as tx:
        first = await signing.signer(tx, keys, "audit", algorithm=algorithm)
        again = await signing.signer(tx, keys, "audit", algorithm=algorithm)
        other = await signing.signer(tx, keys, "reports", algorithm=algorithm)
        signature = first.sign(CHECKPOINT)
        assert first.id == again.id != other.id
        assert await signing.verifies(tx, first.id, CHECKPOINT, signature)
        assert not await signing.verifies(tx, first.id, CHECKPOINT + b" ", signature)
        assert not await signing.verifies(tx, other.id, CHECKPOINT, signature)
        assert not await signing.verifies(tx, first.id, CHECKPOINT, signature[:-1] + b"\x00\x01")
        assert not await signing.verifies(tx, "nobody", CHECKPOINT, signature)
        await signing.replace(tx, "audit", algorithm=algorithm)
        assert (await signing.signer(tx, keys, "audit", algorithm=algorithm)).id != first.id
        assert await signing.verifies(tx, first.id, CHECKPOINT, signature)


async def test_the_private_key_is_sealed(db: Database, keys: Keyring) -> None:
    async with db.transaction() as tx:
        one = await signing.signer(tx, keys, "audit")
        row = await (await tx.execute("SELECT private FROM signing_key")).fetchone()
    assert row
    assert b"PRIVATE KEY" not in row[0]
    assert "PRIVATE" not in repr(one)


async def test_what_nobody_can_sign_is_refused(db: Database, keys: Keyring) -> None:
    async with db.transaction() as tx:
        with pytest.raises(Unavailable, match=r"keys\.no-such-signature"):
            await signing.signer(tx, keys, "audit", algorithm="rsa-md5")


async def test_anybody_verifies_an_sm2_signature_with_openssl_alone(
    db: Database, keys: Keyring, tmp_path: Path
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None or not signing.has_sm2():
        pytest.skip("no OpenSSL 3 here")
    async with db.transaction() as tx:
        one = await signing.signer(tx, keys, "audit", algorithm=SM2)
    for name, content in (
        ("public.pem", one.public.encode()),
        ("message", CHECKPOINT),
        ("signature", one.sign(CHECKPOINT)),
    ):
        (tmp_path / name).write_bytes(content)
    done = await asyncio.to_thread(
        subprocess.run,
        [
            openssl, "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin",
            "-in", "message", "-sigfile", "signature", "-digest", "sm3",
            "-pkeyopt", f"distid:{DISTINGUISHING_ID}",
        ],
        cwd=tmp_path,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0
