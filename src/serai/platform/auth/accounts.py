"""Accounts of staff: opening them, proving who knocks, changing and closing them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import UniqueViolation

from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Invalid, NotFound, Unauthenticated
from serai.kernel.ids import new_id
from serai.platform import audit
from serai.platform.auth import notices, passwords, throttle
from serai.platform.auth.kinds import KINDS, scopes_of_kind
from serai.platform.auth.roles import known_role, scopes_of
from serai.platform.db import Connection, Database

LOGIN = re.compile(r"[\w][\w.@+-]{1,79}")

COLUMNS = "id, login, name, role, organisation, practitioner, language, disabled_at, kind, patient"

OPEN = """INSERT INTO account
              (id, login, name, password_hash, role, organisation, practitioner, kind, patient,
               created_at)
          VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
BY_LOGIN = f"SELECT password_hash, {COLUMNS} FROM account WHERE login = %s"  # noqa: S608
BY_ID = f"SELECT {COLUMNS} FROM account WHERE id = %s"  # noqa: S608
ALL = f"SELECT {COLUMNS} FROM account ORDER BY login"  # noqa: S608
CHANGE = """UPDATE account SET name = %s, role = %s, organisation = %s, practitioner = %s
            WHERE id = %s"""
SET_PASSWORD = "UPDATE account SET password_hash = %s WHERE id = %s"  # noqa: S105
SET_LANGUAGE = "UPDATE account SET language = %s WHERE id = %s"
DISABLE = "UPDATE account SET disabled_at = %s WHERE id = %s AND disabled_at IS NULL"
ENABLE = "UPDATE account SET disabled_at = NULL WHERE id = %s"
END_GRANTS = "UPDATE app_grant SET ended_at = %s WHERE account = %s AND ended_at IS NULL"
END_SESSIONS = "UPDATE account_session SET closed_at = %s WHERE account = %s AND closed_at IS NULL"


# Fewer wrong tries are the person's own typing.
TOLD_FROM = 3
KNOCKS = Actor(id="nobody", kind=Kind.STAFF, name="", role="")


@dataclass(frozen=True, slots=True)
class Account:
    """`organisation` and `practitioner` are logical FHIR ids; `language` a BCP 47 tag."""

    id: str
    login: str
    name: str
    role: str
    organisation: str
    practitioner: str | None
    language: str | None
    disabled_at: datetime | None
    kind: str = "staff"
    patient: str | None = None

    @property
    def actor(self) -> Actor:
        """Whom a guardian acts for changes with time: the session says."""
        kind = KINDS[self.kind]
        return Actor(
            id=self.id,
            kind=kind,
            name=self.name,
            role=self.role,
            # Who sees one record only sees nothing as a part of an organisation.
            organisation=None if kind is Kind.PATIENT else self.organisation,
            practitioner=self.practitioner,
            scopes=scopes_of(self.role) if kind is Kind.STAFF else scopes_of_kind(self.kind),
            patients=(self.patient,) if self.patient else (),
        )


async def create_account(
    tx: Connection,
    *,
    login: str,
    password: str | None,
    name: str,
    role: str,
    organisation: str,
    practitioner: str | None = None,
    kind: str = "staff",
    patient: str | None = None,
    now: datetime | None = None,
) -> Account:
    """Open an account; Conflict when the login is taken. Without a password nobody gets in
    before one is chosen with a link."""
    login = folded(login)
    if not LOGIN.fullmatch(login):
        raise Invalid("account.login-malformed", login=login[:80])
    if not name.strip():
        raise Invalid("account.name-missing")
    if kind == "staff" or role != kind:
        known_role(role)
    password_hash = await _hashed(password, login)
    account = Account(
        new_id(), login, name.strip(), role, organisation, practitioner, None, None, kind, patient
    )
    values = (account.id, login, account.name, password_hash, role, organisation, practitioner)
    try:
        await tx.execute(OPEN, (*values, kind, patient, now or utc_now()))
    except UniqueViolation as error:
        raise Conflict("account.login-taken", login=login) from error
    return account


async def authenticate(
    db: Database, login: str, password: str, *, address: str, now: datetime
) -> Account:
    """The account that login and password open.

    Unknown login, wrong password and disabled account are one refusal that takes one time.
    RateLimited, with the seconds to wait, after too many tries.
    """
    login = folded(login)
    tried = throttle.knock(login, address)
    await throttle.count_try(db, tried, now)
    password_hash, account = await _by_login(db, login)
    usable = account is not None and account.disabled_at is None
    if not await passwords.matches(password, password_hash if usable else None) or account is None:
        await _note_refusal(db, account, now)
        raise Unauthenticated("sign-in.refused")
    async with db.transaction() as tx:
        wrong = await throttle.forgive(tx, tried, now)
        if wrong >= TOLD_FROM:
            await notices.tell(tx, account.id, "wrong-tries", at=now, count=wrong)
        if password_hash and passwords.outdated(password_hash):
            await tx.execute(SET_PASSWORD, (await passwords.hashed(password), account.id))
    return account


async def find_account(c: Connection, login: str) -> Account:
    """By login; NotFound when there is none."""
    row = await (await c.execute(BY_LOGIN, (folded(login),))).fetchone()
    if row is None:
        raise NotFound("account.unknown", login=login[:80])
    return Account(*row[1:])


async def read_account(c: Connection, account_id: str) -> Account:
    row = await (await c.execute(BY_ID, (account_id,))).fetchone()
    if row is None:
        raise NotFound("account.unknown", id=account_id)
    return Account(*row)


async def list_accounts(c: Connection) -> list[Account]:
    return [Account(*row) async for row in await c.execute(ALL)]


async def change_account(
    tx: Connection,
    account: Account,
    *,
    name: str,
    role: str,
    organisation: str,
    practitioner: str | None,
) -> None:
    """Somebody moved on to another role or place; holds from the next request."""
    row = (name, known_role(role), organisation, practitioner, account.id)
    await tx.execute(CHANGE, row)


async def change_password(tx: Connection, account: Account, password: str, now: datetime) -> None:
    """Also ends every session, and what apps were allowed: whoever knew the old password is
    out."""
    passwords.require_strong(password, login=account.login)
    password_hash = await passwords.hashed(password)
    await tx.execute(SET_PASSWORD, (password_hash, account.id))
    await tx.execute(END_SESSIONS, (now, account.id))
    await tx.execute(END_GRANTS, (now, account.id))


async def disable_account(tx: Connection, account: Account, now: datetime) -> None:
    """The account stays, because audit lines name it; nobody can use it any more."""
    await tx.execute(DISABLE, (now, account.id))
    await tx.execute(END_SESSIONS, (now, account.id))


async def enable_account(tx: Connection, account: Account) -> None:
    await tx.execute(ENABLE, (account.id,))


async def confirm_password(
    db: Database, account: Account, password: str, *, address: str, now: datetime
) -> None:
    """The holder types the password once more; counted and braked as at the sign-in."""
    await authenticate(db, account.login, password, address=address, now=now)


async def set_language(tx: Connection, account_id: str, language: str) -> None:
    await tx.execute(SET_LANGUAGE, (language, account_id))


async def _by_login(db: Database, login: str) -> tuple[str | None, Account | None]:
    if not LOGIN.fullmatch(login):
        return None, None
    async with db.connection() as c:
        row = await (await c.execute(BY_LOGIN, (login,))).fetchone()
    return (row[0], Account(*row[1:])) if row else (None, None)


async def _hashed(password: str | None, login: str) -> str:
    if password is None:
        return ""
    passwords.require_strong(password, login=login)
    return await passwords.hashed(password)


async def _note_refusal(db: Database, account: Account | None, now: datetime) -> None:
    """A line for unknown logins too, so that both refusals take one time."""
    resource = f"account/{account.id}" if account else None
    async with db.transaction() as tx:
        await audit.record(
            tx, actor=KNOCKS, act="session.refuse", at=now, resource=resource, outcome="refused"
        )


def folded(login: str) -> str:
    """Logins differ by more than case and width."""
    return unicodedata.normalize("NFKC", login.strip()).casefold()
