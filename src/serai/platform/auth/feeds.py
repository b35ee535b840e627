"""Accounts of staff as a register outside knows them: with its own name for each, and a version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serai.kernel.errors import Conflict, NotFound
from serai.platform.auth.accounts import COLUMNS, Account
from serai.platform.db import Connection

_ACCOUNT = ", ".join(f"a.{column}" for column in COLUMNS.split(", "))
_FED = f"""SELECT a.email, a.feed_id, a.fed, a.version, a.created_at,
                  coalesce(a.changed_at, a.created_at), {_ACCOUNT}
           FROM account a WHERE a.kind = 'staff' AND a.removed_at IS NULL"""  # noqa: S608

BY_LOGINS = f"{_FED} AND a.login = ANY(%s)"
OF = f"{_FED} AND a.organisation = ANY(%s) ORDER BY a.login"
ONE = f"{_FED} AND a.organisation = %s AND a.id = %s FOR UPDATE"
NOTE = "UPDATE account SET email = %s, feed_id = %s, fed = true, removed_at = NULL WHERE id = %s"
RENAME = "UPDATE account SET login = %s WHERE id = %s"
REMOVE = "UPDATE account SET removed_at = %s, feed_id = NULL WHERE id = %s"
REMOVED = f"""SELECT {_ACCOUNT} FROM account a
              WHERE a.login = %s AND a.removed_at IS NOT NULL AND a.organisation = %s
              FOR UPDATE"""  # noqa: S608
TAKEN = """SELECT EXISTS (SELECT FROM account WHERE organisation = %s AND feed_id = %s
                          AND id <> %s)"""


@dataclass(frozen=True, slots=True)
class Fed:
    """`feed_id` is the register's own name for the person; `fed` whether it ever told of them."""

    email: str | None
    feed_id: str | None
    fed: bool
    version: int
    created_at: datetime
    changed_at: datetime
    account: Account

    @property
    def active(self) -> bool:
        return self.account.disabled_at is None


async def fed_by_login(c: Connection, logins: Iterable[str]) -> dict[str, Fed]:
    return {one.account.login: one for one in await _rows(c, BY_LOGINS, list(logins))}


async def fed_of(c: Connection, organisations: Iterable[str]) -> list[Fed]:
    """Every account of staff whose first place is one of these."""
    return await _rows(c, OF, list(organisations))


async def fed_to_change(tx: Connection, organisation: str, account_id: str) -> Fed:
    """NotFound too when the account is another organisation's."""
    row = await (await tx.execute(ONE, (organisation, account_id))).fetchone()
    if row is None:
        raise NotFound("account.unknown", id=account_id[:80])
    return _fed(row)


async def note(tx: Connection, account: Account, *, email: str | None, feed_id: str | None) -> None:
    """What the register says beside the account's own facts."""
    if feed_id is not None:
        taken = await tx.execute(TAKEN, (account.organisation, feed_id, account.id))
        if (await taken.fetchone() or (False,))[0]:
            raise Conflict("account.feed-id-taken", id=feed_id[:80])
    await tx.execute(NOTE, (email, feed_id, account.id))


async def rename(tx: Connection, account: Account, login: str) -> None:
    """Conflict when the login is taken."""
    found = await (await tx.execute("SELECT 1 FROM account WHERE login = %s", (login,))).fetchone()
    if found:
        raise Conflict("account.login-taken", login=login)
    await tx.execute(RENAME, (login, account.id))


async def remove(tx: Connection, account: Account, now: datetime) -> None:
    await tx.execute(REMOVE, (now, account.id))


async def removed(tx: Connection, login: str, organisation: str) -> Account | None:
    """An account that was taken out of the organisation's feed, whose person comes back."""
    row = await (await tx.execute(REMOVED, (login, organisation))).fetchone()
    return Account(*row) if row else None


async def _rows(c: Connection, query: str, names: list[str]) -> list[Fed]:
    return [_fed(row) async for row in await c.execute(query, (names,))]


def _fed(row: tuple[Any, ...]) -> Fed:
    email, feed_id, fed, version, created_at, changed_at, *columns = row
    return Fed(email, feed_id, fed, version, created_at, changed_at, Account(*columns))
