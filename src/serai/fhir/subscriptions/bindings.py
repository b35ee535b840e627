"""Tokens that bind a websocket to subscriptions (Subscriptions R5 Backport §2.5, channels).

A browser cannot send a bearer token when it opens a websocket; it sends such a token first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from serai.kernel.actor import Actor
from serai.platform.auth.secrets import fingerprint, new_secret
from serai.platform.db import Connection

LIFETIME = timedelta(hours=1)

ISSUE = """INSERT INTO subscription_binding
        (secret_sha256, subscriptions, holder, holder_kind, expires_at)
    VALUES (%s, %s, %s, %s, %s)"""
REDEEM = """SELECT subscriptions, holder, holder_kind, expires_at FROM subscription_binding
    WHERE secret_sha256 = %s AND expires_at > %s"""
PRUNE = "DELETE FROM subscription_binding WHERE expires_at < %s"


@dataclass(frozen=True, slots=True)
class Binding:
    """What may be bound, with whose rights, until when (None: as long as these rights last)."""

    subscriptions: tuple[str, ...]
    holder: str
    kind: str
    until: datetime | None = None


async def issue(
    tx: Connection, subscriptions: Sequence[str], *, actor: Actor, now: datetime
) -> tuple[str, datetime]:
    secret, until = new_secret(), now + LIFETIME
    row = (fingerprint(secret), list(subscriptions), actor.id, actor.kind, until)
    await tx.execute(ISSUE, row)
    return secret, until


async def redeem(connection: Connection, secret: str, *, now: datetime) -> Binding | None:
    """May be done again until it expires: a client that lost its socket comes back with it."""
    row = await (await connection.execute(REDEEM, (fingerprint(secret), now))).fetchone()
    if row is None:
        return None
    ids, holder, kind, until = row
    return Binding(tuple(ids), holder, kind, until)


async def prune(connection: Connection, now: datetime) -> None:
    await connection.execute(PRUNE, (now,))
