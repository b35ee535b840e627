"""Organisations' own identity providers: where people of an organisation sign in, and who they are
there (OpenID Connect Core 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.errors import UniqueViolation

from serai.kernel.errors import Conflict, Invalid, NotFound
from serai.kernel.ids import new_id
from serai.platform.addresses import NotAnAddress, read
from serai.platform.auth.accounts import Account, read_account
from serai.platform.auth.secrets import fingerprint, new_secret
from serai.platform.db import Connection
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.sealing import Place, opened, sealed

BACK_WITHIN = timedelta(minutes=10)

COLUMNS = "id, organisation, name, issuer, client_id, sealed, two_factors"
ADD = f"""INSERT INTO identity_provider ({COLUMNS}, added_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""  # noqa: S608
ONE = f"SELECT {COLUMNS} FROM identity_provider WHERE id = %s AND removed_at IS NULL"  # noqa: S608
ALL = f"""SELECT {COLUMNS} FROM identity_provider WHERE removed_at IS NULL
    ORDER BY name, id"""  # noqa: S608
REMOVE = "UPDATE identity_provider SET removed_at = %s WHERE id = %s AND removed_at IS NULL"
LINKED = "SELECT account FROM identity_link WHERE provider = %s AND subject = %s"
LINK = """INSERT INTO identity_link (provider, subject, account, linked_at)
    VALUES (%s, %s, %s, %s)"""
UNLINK = "DELETE FROM identity_link WHERE provider = %s AND account = %s"
LINKS_OF = """SELECT p.id, p.name, l.account IS NOT NULL FROM identity_provider p
    LEFT JOIN identity_link l ON l.provider = p.id AND l.account = %(account)s
    WHERE p.removed_at IS NULL AND (p.organisation = %(organisation)s OR l.account IS NOT NULL)
    ORDER BY p.name, p.id"""
BEGIN = """INSERT INTO identity_visit (secret_sha256, provider, account, afresh, back, begun_at)
    VALUES (%s, %s, %s, %s, %s, %s)"""
END = """DELETE FROM identity_visit WHERE secret_sha256 = %s AND provider = %s AND begun_at > %s
    RETURNING account, afresh, back, begun_at"""
FORGET_OLD = "DELETE FROM identity_visit WHERE begun_at <= %s"


@dataclass(frozen=True, slots=True)
class Provider:
    """`two_factors` are the acr and amr values that stand for two factors there."""

    id: str
    organisation: str
    name: str
    issuer: str
    client_id: str
    sealed: bytes | None
    two_factors: tuple[str, ...]

    async def secret(self, keys: Keyring) -> str | None:
        if self.sealed is None:
            return None
        return (await opened(keys, self.sealed, place_of_secret(self.id))).decode()


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser's way there; `account` is whose link is being made, `afresh` that the person must
    prove who they are once more, `back` where they wanted to go."""

    account: str | None
    afresh: bool
    back: str
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider as its organisation's people see it on their account's page."""

    id: str
    name: str
    linked: bool


async def add(
    tx: Connection,
    *,
    organisation: str,
    name: str,
    issuer: str,
    client_id: str,
    secret: str | None,
    two_factors: tuple[str, ...],
    keys: Keyring,
    now: datetime,
) -> Provider:
    """From now on it is offered at the sign-in."""
    try:
        read(issuer)
    except NotAnAddress as error:
        raise Invalid("provider.issuer") from error
    if not name.strip() or not client_id.strip() or "?" in issuer:
        raise Invalid("provider.issuer")
    id = new_id()
    box = await sealed(keys, secret.encode(), place_of_secret(id)) if secret else None
    row = (id, organisation, name.strip(), issuer, client_id, box, list(two_factors))
    await tx.execute(ADD, (*row, now))
    return Provider(id, organisation, name.strip(), issuer, client_id, box, two_factors)


def place_of_secret(id: str) -> Place:
    """Where the secret that this server has at a provider lies."""
    return Place("accounts", "identity_provider", "sealed", id)


async def find(c: Connection, id: str) -> Provider:
    row = await (await c.execute(ONE, (id,))).fetchone()
    if row is None:
        raise NotFound("provider.unknown")
    return _provider(*row)


async def everyone(c: Connection) -> list[Provider]:
    return [_provider(*row) for row in await (await c.execute(ALL)).fetchall()]


async def remove(tx: Connection, id: str, now: datetime) -> None:
    if not (await tx.execute(REMOVE, (now, id))).rowcount:
        raise NotFound("provider.unknown")


async def holder(c: Connection, provider: Provider, subject: str) -> Account | None:
    """Whose account it is; None for somebody nobody linked, or whose account is closed."""
    row = await (await c.execute(LINKED, (provider.id, subject))).fetchone()
    if row is None:
        return None
    account = await read_account(c, row[0])
    at_home = account.organisation == provider.organisation
    return account if at_home and account.disabled_at is None else None


async def link(
    tx: Connection, provider: Provider, subject: str, account: Account, now: datetime
) -> None:
    """From now on this subject there is this account here."""
    if account.organisation != provider.organisation:
        raise Conflict("provider.of-another-organisation")
    try:
        async with tx.transaction():
            await tx.execute(LINK, (provider.id, subject, account.id, now))
    except UniqueViolation as error:
        raise Conflict("provider.linked-already") from error


async def unlink(tx: Connection, provider: str, account: str) -> None:
    if not (await tx.execute(UNLINK, (provider, account))).rowcount:
        raise NotFound("provider.unknown")


async def choices(c: Connection, account: Account) -> list[Choice]:
    values = {"account": account.id, "organisation": account.organisation}
    return [Choice(*row) for row in await (await c.execute(LINKS_OF, values)).fetchall()]


async def begin(tx: Connection, provider: Provider, visit: Visit) -> str:
    """The secret that the browser carries there and back."""
    secret = new_secret()
    row = (fingerprint(secret), provider.id, visit.account, visit.afresh, visit.back)
    await tx.execute(FORGET_OLD, (visit.begun_at - BACK_WITHIN,))
    await tx.execute(BEGIN, (*row, visit.begun_at))
    return secret


async def end(tx: Connection, provider: Provider, secret: str, now: datetime) -> Visit | None:
    """Once, soon, and from the provider that it led to."""
    values = (fingerprint(secret), provider.id, now - BACK_WITHIN)
    row = await (await tx.execute(END, values)).fetchone()
    return Visit(*row) if row else None


def _provider(
    id: str,
    organisation: str,
    name: str,
    issuer: str,
    client_id: str,
    box: bytes | None,
    two_factors: list[str],
) -> Provider:
    box = bytes(box) if box is not None else None
    return Provider(id, organisation, name, issuer, client_id, box, tuple(two_factors))
