"""Recovery codes: ten words of chance, each opens the account once when every device is lost.

A code carries 80 random bits, so a plain hash of it is enough.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime

from serai.platform.auth.secrets import fingerprint
from serai.platform.db import Connection

CODES = 10
BYTES = 10

FORGET = "DELETE FROM account_recovery_code WHERE account = %s"
KEEP = "INSERT INTO account_recovery_code (account, code_sha256) SELECT %s, unnest(%s::bytea[])"
USE = """UPDATE account_recovery_code SET used_at = %s
         WHERE account = %s AND code_sha256 = %s AND used_at IS NULL"""
LEFT = "SELECT count(*) FROM account_recovery_code WHERE account = %s AND used_at IS NULL"


async def new_codes(tx: Connection, account_id: str) -> list[str]:
    """Shown once; the earlier ones hold no longer."""
    codes = [_new_code() for _ in range(CODES)]
    await tx.execute(FORGET, (account_id,))
    await tx.execute(KEEP, (account_id, [fingerprint(_bare(code)) for code in codes]))
    return codes


async def use(tx: Connection, account_id: str, code: str, now: datetime) -> bool:
    """Whether it was a code not used before."""
    used = await tx.execute(USE, (now, account_id, fingerprint(_bare(code))))
    return used.rowcount == 1


async def left(c: Connection, account_id: str) -> int:
    row = await (await c.execute(LEFT, (account_id,))).fetchone()
    return int(row[0]) if row else 0


async def forget(tx: Connection, account_id: str) -> None:
    await tx.execute(FORGET, (account_id,))


def _new_code() -> str:
    bare = base64.b32encode(secrets.token_bytes(BYTES)).decode().lower()
    return "-".join(bare[at : at + 4] for at in range(0, len(bare), 4))


def _bare(code: str) -> str:
    return "".join(letter for letter in code.casefold() if letter.isalnum())
