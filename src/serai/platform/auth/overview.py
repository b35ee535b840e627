"""The accounts of an organisation as its administrator sees them; no secret is among it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from serai.kernel.errors import NotFound
from serai.platform.auth import throttle
from serai.platform.auth.accounts import COLUMNS, Account
from serai.platform.db import Connection

_ACCOUNT = ", ".join(f"a.{column}" for column in COLUMNS.split(", "))
_LINES = f"""SELECT a.password_hash <> '',
       EXISTS (SELECT FROM account_totp t WHERE t.account = a.id AND t.confirmed_at IS NOT NULL),
       (SELECT count(*) FROM account_passkey k WHERE k.account = a.id),
       (SELECT max(s.opened_at) FROM account_session s WHERE s.account = a.id),
       place.role, a.email, a.feed_id, {_ACCOUNT}
    FROM account a LEFT JOIN account_place place
        ON place.account = a.id AND place.organisation = %(organisation)s
    WHERE a.kind = 'staff' AND (a.organisation = %(organisation)s OR place.account IS NOT NULL)
    """  # noqa: S608
ALL = f"""{_LINES} AND strpos(lower(a.login || ' ' || a.name), lower(%(words)s)) > 0
    ORDER BY a.disabled_at IS NOT NULL, a.login, place.role
    LIMIT %(most)s OFFSET %(start)s"""
ONE = f"{_LINES} AND a.id = %(id)s ORDER BY place.role"


@dataclass(frozen=True, slots=True)
class Line:
    """`guest_role` is the role of somebody whose first place is another organisation."""

    has_password: bool
    totp: bool
    passkeys: int
    last_seen: datetime | None
    guest_role: str | None
    email: str | None
    feed_id: str | None
    account: Account
    locked_until: datetime | None = None

    @property
    def role(self) -> str:
        return self.guest_role or self.account.role

    @property
    def second_factor(self) -> bool:
        return self.totp or self.passkeys > 0


async def lines(
    c: Connection, organisation: str, *, words: str, start: int, most: int, now: datetime
) -> list[Line]:
    values = {"organisation": organisation, "words": words, "start": start, "most": most}
    found = [_line(row) async for row in await c.execute(ALL, values)]
    locked = await throttle.locked(c, [one.account.login for one in found], now)
    return [_locked(one, locked) for one in found]


async def line(c: Connection, organisation: str, account_id: str, now: datetime) -> Line:
    """NotFound when the person does not work at the organisation."""
    values = {"organisation": organisation, "id": account_id}
    row = await (await c.execute(ONE, values)).fetchone()
    if row is None:
        raise NotFound("account.unknown", id=account_id[:80])
    found = _line(row)
    return _locked(found, await throttle.locked(c, [found.account.login], now))


def _line(row: tuple[Any, ...]) -> Line:
    has_password, totp, passkeys, last_seen, role, email, feed_id, *columns = row
    account = Account(*columns)
    return Line(has_password, totp, passkeys, last_seen, role, email, feed_id, account)


def _locked(one: Line, locked: dict[str, datetime]) -> Line:
    return replace(one, locked_until=locked.get(one.account.login))
