"""What was allowed and what is issued for it: codes, access tokens, refresh tokens.

A code and a refresh token are taken once. Whoever brings one a second time has, or was, stolen
from: everything issued for the same permission ends (RFC 9700 §2.1, §4.14.2).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from serai.kernel.ids import new_id
from serai.platform.auth.apps.permission import COLUMNS, Grant, grant_from
from serai.platform.auth.apps.refusing import Refused
from serai.platform.auth.apps.registry import App
from serai.platform.auth.secrets import fingerprint, new_secret
from serai.platform.auth.sessions import Session, sessions_of
from serai.platform.db import Connection

CODE_WITHIN = timedelta(seconds=60)
ACCESS_FOR = timedelta(minutes=10)
SERVICE_FOR = timedelta(minutes=5)
REFRESH_WITHIN = timedelta(days=30)
LONGEST = timedelta(days=180)

GIVE = """INSERT INTO app_grant (id, app, account, organisation, role, scopes, patient, session,
        nonce, proved_at, proved_by, given_at, ends_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
KEEP_CODE = """INSERT INTO app_code (secret_sha256, app_grant, redirect_uri, challenge, expires_at)
    VALUES (%s, %s, %s, %s, %s)"""
KEEP_REFRESH = """INSERT INTO app_refresh (secret_sha256, app_grant, expires_at)
    VALUES (%s, %s, %s)"""
KEEP_ACCESS = """INSERT INTO access_token
        (id, secret_sha256, name, scopes, organisation, issued_at, expires_at, app, app_grant)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""

# Locked, so that of two who bring one at the same moment the second finds it used.
CODE = f"""SELECT c.redirect_uri, c.challenge, c.expires_at, c.used_at, g.ended_at, {COLUMNS}
    FROM app_code c JOIN app_grant g ON g.id = c.app_grant
    WHERE c.secret_sha256 = %s FOR UPDATE"""  # noqa: S608
REFRESH = f"""SELECT f.expires_at, f.used_at, g.ended_at, {COLUMNS}
    FROM app_refresh f JOIN app_grant g ON g.id = f.app_grant
    WHERE f.secret_sha256 = %s FOR UPDATE"""  # noqa: S608
APP_OF_REFRESH = """SELECT g.app FROM app_refresh f JOIN app_grant g ON g.id = f.app_grant
    WHERE f.secret_sha256 = %s"""
USE_CODE = "UPDATE app_code SET used_at = %s WHERE secret_sha256 = %s"
USE_REFRESH = "UPDATE app_refresh SET used_at = %s WHERE secret_sha256 = %s"
END = "UPDATE app_grant SET ended_at = %s WHERE id = %s AND ended_at IS NULL"
END_ONE = """UPDATE app_grant SET ended_at = %s
    WHERE account = %s AND id = %s AND ended_at IS NULL"""
OF_ACCOUNT = f"""SELECT p.name, {COLUMNS} FROM app_grant g JOIN app p ON p.id = g.app
    WHERE g.account = %s AND g.ended_at IS NULL AND g.ends_at > %s AND p.revoked_at IS NULL
    ORDER BY g.given_at DESC LIMIT 200"""  # noqa: S608
FORGET_OLD = "DELETE FROM app_code WHERE expires_at < %s - interval '1 day'"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The person's answer to a request."""

    scopes: frozenset[str]
    patient: str | None
    nonce: str | None
    proved_by: str


@dataclass(frozen=True, slots=True)
class Issued:
    """What an app gets; `grant` is none when it acts for itself."""

    access: str
    lasts: timedelta
    scopes: frozenset[str]
    refresh: str | None = None
    grant: Grant | None = None


class Replayed(Refused):
    """Everything issued for `grant` must end, in a transaction that holds."""

    def __init__(self, grant: Grant) -> None:
        super().__init__("invalid_grant", "It was used before; what was issued for it has ended.")
        self.grant = grant


async def give(
    tx: Connection, app: App, session: Session, allowed: Allowed, now: datetime
) -> Grant:
    """The permission, written down."""
    offline = "offline_access" in allowed.scopes
    account = session.account
    grant = Grant(
        id=new_id(),
        app=app.id,
        account=account.id,
        organisation=account.organisation,
        role=account.role,
        scopes=allowed.scopes,
        patient=allowed.patient,
        session=None if offline else session.id,
        nonce=allowed.nonce,
        proved_at=session.proved_at or now,
        proved_by=allowed.proved_by,
        given_at=now,
        ends_at=now + LONGEST,
    )
    row = (grant.id, grant.app, grant.account, grant.organisation, grant.role)
    what = (sorted(grant.scopes), grant.patient, grant.session, grant.nonce)
    when = (grant.proved_at, grant.proved_by, grant.given_at, grant.ends_at)
    await tx.execute(GIVE, (*row, *what, *when))
    return grant


async def new_code(
    tx: Connection, grant: Grant, redirect_uri: str, challenge: str, now: datetime
) -> str:
    secret = new_secret()
    row = (fingerprint(secret), grant.id, redirect_uri, challenge, now + CODE_WITHIN)
    await tx.execute(FORGET_OLD, (now,))
    await tx.execute(KEEP_CODE, row)
    return secret


async def take_code(
    tx: Connection, app: App, secret: str, *, redirect_uri: str, verifier: str, now: datetime
) -> Grant:
    """The permission behind a code that this app was given, for this address and by whoever
    holds the secret behind the challenge (RFC 6749 §4.1.3, RFC 7636 §4.6)."""
    row = await (await tx.execute(CODE, (fingerprint(secret),))).fetchone()
    if row is None:
        raise Refused("invalid_grant", "There is no such code.")
    expected_redirect, challenge, expires_at, used_at, ended_at, *columns = row
    grant = grant_from(columns)
    if grant.app != app.id:
        raise Refused("invalid_grant", "There is no such code.")
    if used_at is not None:
        raise Replayed(grant)
    if expires_at <= now or ended_at is not None:
        raise Refused("invalid_grant", "The code is too old.")
    if redirect_uri != expected_redirect:
        raise Refused("invalid_grant", "redirect_uri is not the one of the request.")
    if not hmac.compare_digest(create_s256_code_challenge(verifier), challenge):
        raise Refused("invalid_grant", "code_verifier is not the one of the challenge.")
    await tx.execute(USE_CODE, (now, fingerprint(secret)))
    return grant


async def take_refresh(tx: Connection, app: App, secret: str, now: datetime) -> Grant:
    """The permission behind a refresh token of this app, which is now used (RFC 6749 §6)."""
    row = await (await tx.execute(REFRESH, (fingerprint(secret),))).fetchone()
    if row is None:
        raise Refused("invalid_grant", "There is no such refresh token.")
    expires_at, used_at, ended_at, *columns = row
    grant = grant_from(columns)
    if grant.app != app.id:
        raise Refused("invalid_grant", "There is no such refresh token.")
    if used_at is not None and ended_at is None:
        raise Replayed(grant)
    if min(expires_at, grant.ends_at) <= now or ended_at is not None:
        raise Refused("invalid_grant", "The refresh token is over.")
    if grant.session is not None and not await _is_signed_in(tx, grant, now):
        raise Refused("invalid_grant", "The person has signed out.")
    await tx.execute(USE_REFRESH, (now, fingerprint(secret)))
    return grant


async def app_of_refresh(c: Connection, secret: str) -> str:
    """Whose refresh token it is, or was; nothing when it is unknown."""
    row = await (await c.execute(APP_OF_REFRESH, (fingerprint(secret),))).fetchone()
    return str(row[0]) if row else ""


async def issue(
    tx: Connection, app: App, grant: Grant, now: datetime, *, scopes: frozenset[str] | None = None
) -> Issued:
    """An access token and, where it was allowed, the next refresh token."""
    scopes = grant.scopes if scopes is None else scopes
    access = await _access(tx, app, scopes, ACCESS_FOR, now, grant=grant)
    refresh = None
    if grant.refreshes:
        refresh = new_secret()
        expires_at = min(now + REFRESH_WITHIN, grant.ends_at)
        await tx.execute(KEEP_REFRESH, (fingerprint(refresh), grant.id, expires_at))
    return Issued(access, ACCESS_FOR, scopes, refresh, grant)


async def issue_to_service(
    tx: Connection, app: App, scopes: frozenset[str], now: datetime
) -> Issued:
    """For an app that acts for itself: short, and without a refresh token."""
    access = await _access(tx, app, scopes, SERVICE_FOR, now)
    return Issued(access, SERVICE_FOR, scopes)


async def end(tx: Connection, grant_id: str, now: datetime) -> None:
    await tx.execute(END, (now, grant_id))


async def end_one(tx: Connection, account: str, grant_id: str, now: datetime) -> bool:
    """Whether the account had such a permission open."""
    return bool((await tx.execute(END_ONE, (now, account, grant_id))).rowcount)


async def of_account(c: Connection, account: str, now: datetime) -> list[tuple[str, Grant]]:
    """What somebody allowed, each with the app's name, the latest first."""
    rows = await (await c.execute(OF_ACCOUNT, (account, now))).fetchall()
    return [(row[0], grant_from(row[1:])) for row in rows]


async def _is_signed_in(c: Connection, grant: Grant, now: datetime) -> bool:
    return any(one.id == grant.session for one in await sessions_of(c, grant.account, now))


async def _access(
    tx: Connection,
    app: App,
    scopes: frozenset[str],
    lasts: timedelta,
    now: datetime,
    *,
    grant: Grant | None = None,
) -> str:
    secret = new_secret()
    organisation = grant.organisation if grant else app.organisation
    row = (new_id(), fingerprint(secret), app.name, sorted(scopes), organisation)
    whose = (app.id, grant.id if grant else None)
    await tx.execute(KEEP_ACCESS, (*row, now, now + lasts, *whose))
    return secret
