"""What an app asks for, and a chart from which somebody opened one, until somebody answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from serai.platform.auth.secrets import fingerprint, new_secret
from serai.platform.db import Connection

# Signing in, a second factor and choosing a patient fit in.
ANSWERED_WITHIN = timedelta(minutes=15)
LAUNCHED_WITHIN = timedelta(minutes=5)

KEEP = """INSERT INTO app_request
        (secret_sha256, app, redirect_uri, state, scopes, challenge, nonce, account, patient,
         fresh_since, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
FIND = """SELECT app, redirect_uri, state, scopes, challenge, nonce, account, patient, fresh_since
    FROM app_request WHERE secret_sha256 = %s AND answered_at IS NULL AND expires_at > %s"""
ANSWERED = """UPDATE app_request SET answered_at = %s
    WHERE secret_sha256 = %s AND answered_at IS NULL"""
FORGET_OLD = """DELETE FROM app_request WHERE expires_at <= %s"""

LAUNCH = """INSERT INTO app_launch (secret_sha256, app, account, patient, expires_at)
    VALUES (%s, %s, %s, %s, %s)"""
USE_LAUNCH = """UPDATE app_launch SET used_at = %(now)s
    WHERE secret_sha256 = %(secret)s AND app = %(app)s AND used_at IS NULL
      AND expires_at > %(now)s RETURNING account, patient"""
FORGET_LAUNCHES = "DELETE FROM app_launch WHERE expires_at <= %s"


@dataclass(frozen=True, slots=True)
class Request:
    """`challenge` is of PKCE (RFC 7636, S256). `account` and `patient` come from a launch. The
    person must have proved who they are at `fresh_since` or later."""

    app: str
    redirect_uri: str
    state: str | None
    scopes: frozenset[str]
    challenge: str
    nonce: str | None = None
    account: str | None = None
    patient: str | None = None
    fresh_since: datetime | None = None


async def keep(tx: Connection, asked: Request, now: datetime) -> str:
    """The name under which the person's browser comes back to it."""
    secret = new_secret()
    row = (fingerprint(secret), asked.app, asked.redirect_uri, asked.state, sorted(asked.scopes))
    rest = (asked.challenge, asked.nonce, asked.account, asked.patient, asked.fresh_since)
    await tx.execute(FORGET_OLD, (now,))
    await tx.execute(KEEP, (*row, *rest, now + ANSWERED_WITHIN))
    return secret


async def find(c: Connection, secret: str, now: datetime) -> Request | None:
    row = await (await c.execute(FIND, (fingerprint(secret), now))).fetchone()
    if row is None:
        return None
    app, redirect_uri, state, scopes, challenge, *rest = row
    return Request(app, redirect_uri, state, frozenset(scopes), challenge, *rest)


async def answered(tx: Connection, secret: str, now: datetime) -> bool:
    """Whether it was still open: it is answered once."""
    return bool((await tx.execute(ANSWERED, (now, fingerprint(secret)))).rowcount)


async def launch(tx: Connection, app: str, account: str, patient: str, now: datetime) -> str:
    """The `launch` value that the app hands back (SMART App Launch §2.0.8)."""
    secret = new_secret()
    await tx.execute(FORGET_LAUNCHES, (now,))
    row = (fingerprint(secret), app, account, patient, now + LAUNCHED_WITHIN)
    await tx.execute(LAUNCH, row)
    return secret


async def use_launch(
    tx: Connection, secret: str, app: str, now: datetime
) -> tuple[str, str] | None:
    """Account and patient; once, and for the app that it was made for."""
    values = {"secret": fingerprint(secret), "app": app, "now": now}
    return await (await tx.execute(USE_LAUNCH, values)).fetchone()
