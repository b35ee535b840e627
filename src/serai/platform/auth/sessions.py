"""Sessions of signed-in staff: an opaque secret in a cookie, its SHA-256 in the table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from serai.kernel.actor import Actor
from serai.platform.auth.accounts import COLUMNS, END_SESSIONS, Account, read_account
from serai.platform.auth.secrets import derived, fingerprint, new_secret
from serai.platform.db import Connection, Database

# A shift; and a coffee break. https://pages.nist.gov/800-63-4/sp800-63b.html AAL2
LIFETIME = timedelta(hours=12)
IDLE = timedelta(minutes=30)
# Being seen is written down this rarely, so that a page costs a read and not a write.
SEEN_EVERY = timedelta(minutes=1)

OPEN = """INSERT INTO account_session (secret_sha256, account, opened_at, seen_at)
          VALUES (%s, %s, %s, %s)"""
FIND = f"""SELECT opened_at, seen_at, {", ".join("a." + column for column in COLUMNS.split(", "))}
           FROM account_session s JOIN account a ON a.id = s.account
           WHERE s.secret_sha256 = %s AND s.closed_at IS NULL AND a.disabled_at IS NULL
             AND s.opened_at > %s AND s.seen_at > %s"""  # noqa: S608
SEEN = "UPDATE account_session SET seen_at = %s WHERE secret_sha256 = %s AND seen_at < %s"
CLOSE = "UPDATE account_session SET closed_at = %s WHERE secret_sha256 = %s AND closed_at IS NULL"
FORGET_OLD = "DELETE FROM account_session WHERE account = %s AND opened_at <= %s"


@dataclass(frozen=True, slots=True)
class Session:
    """`csrf` is what forms and scripts must send back with every unsafe request."""

    account: Account
    csrf: str
    ends_at: datetime

    @property
    def actor(self) -> Actor:
        return self.account.actor

    @property
    def language(self) -> str | None:
        return self.account.language


async def open_session(tx: Connection, account_id: str, now: datetime) -> tuple[str, Session]:
    """A new secret at every sign-in, so that nobody can plant one beforehand."""
    account = await read_account(tx, account_id)
    secret = new_secret()
    await tx.execute(OPEN, (fingerprint(secret), account_id, now, now))
    await tx.execute(FORGET_OLD, (account_id, now - LIFETIME))
    return secret, _session(secret, account, now)


async def session_actor(db: Database, secret: str, now: datetime) -> Session | None:
    """The live session of this secret; None when it is unknown, closed, idle or over."""
    digest = fingerprint(secret)
    async with db.connection() as c:
        found = await c.execute(FIND, (digest, now - LIFETIME, now - IDLE))
        row = await found.fetchone()
        if row is None:
            return None
        opened_at, seen_at, *columns = row
        if now - seen_at >= SEEN_EVERY:
            await c.execute(SEEN, (now, digest, now))
    return _session(secret, Account(*columns), opened_at)


async def close_session(tx: Connection, secret: str, now: datetime) -> None:
    await tx.execute(CLOSE, (now, fingerprint(secret)))


async def close_all_sessions(tx: Connection, account_id: str, now: datetime) -> None:
    await tx.execute(END_SESSIONS, (now, account_id))


def _session(secret: str, account: Account, opened_at: datetime) -> Session:
    return Session(account, derived(secret, "csrf"), opened_at + LIFETIME)
