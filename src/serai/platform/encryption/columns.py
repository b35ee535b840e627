"""Which columns hold sealed secrets; a table that keeps one is named here and nowhere else.

What a column holds that is not sealed, from before it was in this list, is sealed at the next
start; what an older key sealed, by the job after a rotation (`renewing`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import LiteralString

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import sql

from serai.kernel.errors import Unavailable
from serai.platform.db import Connection, Database
from serai.platform.encryption import sealing
from serai.platform.encryption.algorithms import NONCE_BYTES
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.sealing import Place

AT_ONCE = 200

# Not sealed by the key of now, in the order of the rows.
OTHERS = """SELECT {row}::text, {column} FROM {table}
    WHERE {row}::text > %(after)s AND {column} IS NOT NULL
      AND substring({column} FROM 1 FOR %(size)s) <> %(head)s
    ORDER BY {row}::text LIMIT %(most)s FOR UPDATE"""
DUE = "SELECT 1 FROM encryption_due WHERE table_name = %s"
DONE = "DELETE FROM encryption_due WHERE table_name = %s"
PUT = "UPDATE {table} SET {column} = %s WHERE {row}::text = %s"


# How a secret that an earlier version kept in its own way is read.
Reader = Callable[[Keyring, bytes, str], bytes]


@dataclass(frozen=True, slots=True)
class Column:
    """A bytea column, and the column whose value the secret is bound to."""

    purpose: str
    table: str
    column: str
    row: str
    earlier: Reader | None = None

    def place(self, row: str) -> Place:
        return Place(self.purpose, self.table, self.column, row)

    def statement(self, text: LiteralString) -> sql.Composed:
        names = {"table": self.table, "column": self.column, "row": self.row}
        return sql.SQL(text).format(**{key: sql.Identifier(one) for key, one in names.items()})


def _by_identity_key(keys: Keyring, box: bytes, account: str) -> bytes:
    """Seeds of one-time codes were sealed by a key of their own, in `identity.key`."""
    try:
        key = bytes.fromhex(keys.masters.file.with_name("identity.key").read_text().strip())
        nonce, sealed = box[:NONCE_BYTES], box[NONCE_BYTES:]
        return AESGCM(key).decrypt(nonce, sealed, account.encode())
    except (OSError, ValueError, InvalidTag) as error:
        raise Unavailable("keys.box-damaged") from error


COLUMNS = (
    Column("accounts", "account_totp", "sealed", "account", earlier=_by_identity_key),
    Column("deidentification", "deidentify_secret_key", "key", "project"),
    Column("accounts", "identity_provider", "sealed", "id"),
    Column("signatures", "signing_key", "private", "id"),
    Column("signatures", "identity_signing_key", "sealed", "id"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch did: where it came to, and the keys of boxes that did not open."""

    after: str
    found: int
    stuck: frozenset[str]


async def seal_anew(tx: Connection, keys: Keyring, after: str, *, column: Column) -> Step:
    """The next rows behind `after`, under the key of now."""
    key = await keys.current(column.purpose)
    head = sealing.MARK + bytes.fromhex(key.id)
    values = {"after": after, "head": head, "size": len(head), "most": AT_ONCE}
    rows = await (await tx.execute(column.statement(OTHERS), values)).fetchall()
    stuck = set()
    for row, content in rows:
        place = column.place(row)
        try:
            secret = await _read(keys, bytes(content), place, column.earlier)
        except Unavailable:
            stuck.add(sealing.key_of(content) if sealing.is_sealed(content) else "")
            continue
        await tx.execute(column.statement(PUT), (sealing.sealed_with(key, secret, place), row))
    return Step(rows[-1][0] if rows else after, len(rows), frozenset(stuck))


async def _read(keys: Keyring, content: bytes, place: Place, earlier: Reader | None) -> bytes:
    if sealing.is_sealed(content):
        return await sealing.opened(keys, content, place)
    return earlier(keys, content, place.row) if earlier else content


# The next of some secrets behind a place, under the key of now.
Sealer = Callable[[Connection, Keyring, str], Awaitable[Step]]

SEALERS: Mapping[str, Sealer] = {
    column.table: partial(seal_anew, column=column) for column in COLUMNS
}


async def seal_what_is_plain(
    db: Database, keys: Keyring, sealers: Mapping[str, Sealer] = SEALERS
) -> None:
    """Of versions that did not seal it, at the start; in small steps, each for good."""
    for name, seal in sealers.items():
        async with db.connection() as connection:
            due = await (await connection.execute(DUE, (name,))).fetchone()
        step = Step("", 1 if due else 0, frozenset())
        while step.found:
            async with db.transaction() as tx:
                step = await seal(tx, keys, step.after)
        if due:
            async with db.transaction() as tx:
                await tx.execute(DONE, (name,))
