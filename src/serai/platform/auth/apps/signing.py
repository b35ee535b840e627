"""What identity tokens are signed with (OpenID Connect Core §10): a key that is changed now and
then, the old one shown for as long as something signed with it may still be looked at."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from psycopg.types.json import Jsonb

from serai.kernel.ids import new_id
from serai.platform.db import Connection
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.sealing import Place, opened, sealed

ALGORITHM = "RS256"
BITS = 2048
CHANGED_AFTER = timedelta(days=90)
SHOWN_FOR = timedelta(days=2)

# One at a time, so that two processes do not both make the first.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('signing key', 0))"
NEWEST = """SELECT id, sealed, made_at FROM identity_signing_key WHERE retired_at IS NULL
    ORDER BY made_at DESC LIMIT 1"""
KEEP = "INSERT INTO identity_signing_key (id, public, sealed, made_at) VALUES (%s, %s, %s, %s)"
RETIRE = "UPDATE identity_signing_key SET retired_at = %s WHERE retired_at IS NULL"
SHOWN = """SELECT public FROM identity_signing_key WHERE retired_at IS NULL OR retired_at > %s
    ORDER BY made_at DESC"""


async def signed(tx: Connection, claims: dict[str, Any], *, keys: Keyring, now: datetime) -> str:
    """The claims as a JWT; a key that is missing or old is made first."""
    row = await (await tx.execute(NEWEST)).fetchone()
    if row is None or row[2] <= now - CHANGED_AFTER:
        await rotate(tx, keys=keys, now=now, older_than=now - CHANGED_AFTER)
        row = await (await tx.execute(NEWEST)).fetchone()
    assert row
    id, box, _ = row
    private = RSAKey.import_key(msgspec.json.decode(await opened(keys, bytes(box), _place(id))))
    return jwt.encode({"alg": ALGORITHM, "kid": id}, claims, private, algorithms=[ALGORITHM])


async def rotate(
    tx: Connection, *, keys: Keyring, now: datetime, older_than: datetime | None = None
) -> None:
    """From now on a new key signs. With `older_than`, only where none is newer."""
    await tx.execute(ALONE)
    row = await (await tx.execute(NEWEST)).fetchone()
    if row is not None and older_than is not None and row[2] > older_than:
        return
    # Takes a good part of a second.
    made, id = await asyncio.to_thread(RSAKey.generate_key, BITS), new_id()
    private = msgspec.json.encode(made.as_dict(private=True))
    public = made.as_dict(private=False) | {"kid": id, "alg": ALGORITHM, "use": "sig"}
    await tx.execute(RETIRE, (now,))
    box = await sealed(keys, private, _place(id))
    await tx.execute(KEEP, (id, Jsonb(public), box, now))


def _place(id: str) -> Place:
    return Place("signatures", "identity_signing_key", "sealed", id)


async def shown(c: Connection, now: datetime) -> dict[str, Any]:
    """The public halves, as a JWK set (RFC 7517 §5)."""
    rows = await (await c.execute(SHOWN, (now - SHOWN_FOR,))).fetchall()
    return {"keys": [row[0] for row in rows]}


def key_set(shown: dict[str, Any]) -> KeySet:
    return KeySet.import_key_set(shown)  # type: ignore[arg-type]
