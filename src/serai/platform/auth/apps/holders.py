"""Who holds a token that an app was given, with the rights they have now; and what it is about
(RFC 7662)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from serai.kernel.actor import Actor, Kind
from serai.platform.auth.accounts import COLUMNS, Account
from serai.platform.auth.apps.permission import COLUMNS as GRANT_COLUMNS
from serai.platform.auth.apps.permission import Grant, grant_from
from serai.platform.auth.apps.scoping import WORDS, effective
from serai.platform.auth.kinds import guarded_by
from serai.platform.auth.secrets import fingerprint
from serai.platform.db import Connection

# The place stands in for the account's first one; whoever has left it holds nothing any more.
_PLACED = {
    "role": "g.role",
    "organisation": "g.organisation",
    "practitioner": "CASE WHEN at.account IS NULL THEN a.practitioner ELSE at.practitioner END",
}
_ACCOUNT = ", ".join(_PLACED.get(column, f"a.{column}") for column in COLUMNS.split(", "))
_HELD = """g.ended_at IS NULL AND g.ends_at > %(now)s AND p.revoked_at IS NULL
    AND a.disabled_at IS NULL
    AND ((a.organisation, a.role) = (g.organisation, g.role) OR at.account IS NOT NULL)"""
_JOINS = """app_grant g JOIN app p ON p.id = g.app JOIN account a ON a.id = g.account
    LEFT JOIN account_place at ON at.account = g.account
        AND at.organisation = g.organisation AND at.role = g.role"""

GRANTED = f"""SELECT p.id, p.name, g.patient, g.proved_at, {_ACCOUNT} FROM {_JOINS}
    WHERE g.id = %(grant)s AND {_HELD}"""  # noqa: S608
SERVICE = "SELECT name FROM app WHERE id = %s AND revoked_at IS NULL"

ACCESS = """SELECT app, app_grant, scopes, issued_at, expires_at FROM access_token
    WHERE secret_sha256 = %(secret)s AND revoked_at IS NULL AND expires_at > %(now)s
      AND app IS NOT NULL"""
REFRESH = """SELECT g.app, f.app_grant, g.scopes, g.given_at, f.expires_at
    FROM app_refresh f JOIN app_grant g ON g.id = f.app_grant
    WHERE f.secret_sha256 = %(secret)s AND f.used_at IS NULL AND f.expires_at > %(now)s"""
ONE_GRANT = f"SELECT {GRANT_COLUMNS} FROM app_grant g WHERE g.id = %s"  # noqa: S608
REVOKE_ACCESS = """UPDATE access_token SET revoked_at = %s
    WHERE secret_sha256 = %s AND revoked_at IS NULL"""


@dataclass(frozen=True, slots=True)
class Token:
    """A live access or refresh token; `grant` is none when the app acts for itself."""

    kind: str
    app: str
    grant: str | None
    scopes: frozenset[str]
    issued_at: datetime
    expires_at: datetime


async def holder(
    c: Connection,
    app: str,
    grant: str | None,
    scopes: frozenset[str],
    organisation: str | None,
    now: datetime,
) -> Actor | None:
    """None when what it was issued for holds no longer."""
    if grant is None:
        row = await (await c.execute(SERVICE, (app,))).fetchone()
        return _service(app, row[0], scopes, organisation) if row else None
    row = await (await c.execute(GRANTED, {"grant": grant, "now": now})).fetchone()
    if row is None:
        return None
    _, name, patient, proved_at, *columns = row
    account = Account(*columns)
    guarded = await guarded_by(c, account.id, now) if account.kind == "guardian" else ()
    person = account.actor
    return replace(
        person,
        name=f"{person.name} · {name}",
        scopes=effective(scopes, person.scopes),
        proved_at=proved_at,
        patients=person.patients or guarded,
        app=app,
        patient=patient,
    )


async def find(c: Connection, secret: str, now: datetime) -> Token | None:
    """A token that an app was given; None when it is unknown or over."""
    values = {"secret": fingerprint(secret), "now": now}
    for kind, statement in (("access_token", ACCESS), ("refresh_token", REFRESH)):
        row = await (await c.execute(statement, values)).fetchone()
        if row is not None:
            app, grant, scopes, *times = row
            return Token(kind, app, grant, frozenset(scopes), *times)
    return None


async def grant_of(c: Connection, id: str) -> Grant:
    """The permission that a live token hangs on."""
    row = await (await c.execute(ONE_GRANT, (id,))).fetchone()
    assert row
    return grant_from(row)


async def revoke_access(tx: Connection, secret: str, now: datetime) -> None:
    await tx.execute(REVOKE_ACCESS, (now, fingerprint(secret)))


def _service(id: str, name: str, scopes: frozenset[str], organisation: str | None) -> Actor:
    return Actor(
        id=id,
        kind=Kind.MACHINE,
        name=name,
        role="system",
        organisation=organisation,
        scopes=scopes - WORDS,
        app=id,
    )
