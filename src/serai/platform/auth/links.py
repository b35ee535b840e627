"""One-time links with which somebody chooses a password: a joiner's first, or after a reset."""

from __future__ import annotations

from datetime import datetime, timedelta

from serai.kernel.errors import NotFound
from serai.platform.auth.accounts import COLUMNS, Account
from serai.platform.auth.secrets import fingerprint, new_secret
from serai.platform.db import Connection

LASTS = timedelta(hours=24)

ISSUE = """INSERT INTO account_link (secret_sha256, account, issued_at, expires_at)
           VALUES (%s, %s, %s, %s)"""
VOID = "UPDATE account_link SET used_at = %s WHERE account = %s AND used_at IS NULL"
FIND = f"""SELECT {", ".join("a." + column for column in COLUMNS.split(", "))}
           FROM account_link l JOIN account a ON a.id = l.account
           WHERE l.secret_sha256 = %s AND l.used_at IS NULL AND l.expires_at > %s
             AND a.disabled_at IS NULL"""  # noqa: S608


async def issue(tx: Connection, account_id: str, now: datetime) -> str:
    """The secret of a new link, shown once; earlier links of the account hold no longer."""
    secret = new_secret()
    await void(tx, account_id, now)
    await tx.execute(ISSUE, (fingerprint(secret), account_id, now, now + LASTS))
    return secret


async def holder(c: Connection, secret: str, now: datetime) -> Account:
    """Whose link it is; one refusal whether it is unknown, used or too old."""
    row = await (await c.execute(FIND, (fingerprint(secret), now))).fetchone()
    if row is None:
        raise NotFound("account.link-over")
    return Account(*row)


async def void(tx: Connection, account_id: str, now: datetime) -> None:
    await tx.execute(VOID, (now, account_id))
