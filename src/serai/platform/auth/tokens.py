"""Bearer tokens of machines (RFC 6750): an opaque secret that carries SMART v2 scopes."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid, Malformed
from serai.kernel.ids import new_id
from serai.platform.auth.apps.holders import holder
from serai.platform.auth.scopes import Scope, as_text
from serai.platform.auth.secrets import fingerprint, new_secret
from serai.platform.db import Connection, Database

LONGEST = timedelta(days=366)
TTL = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

# What a token may do beside SMART scopes: keep its organisation's accounts of staff. No SMART
# scope implies it, `system/*.cruds` neither, because who opens accounts gives rights away.
STAFF_FEED = "staff-feed"

# How long a revoked token may still work in another worker process.
REMEMBERED_FOR = timedelta(seconds=5)
MOST_REMEMBERED = 4096

ISSUE = """INSERT INTO access_token
               (id, secret_sha256, name, scopes, organisation, issued_at, expires_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s)"""
FIND = """SELECT id, name, scopes, organisation, expires_at, app, app_grant FROM access_token
          WHERE secret_sha256 = %s AND revoked_at IS NULL AND expires_at > %s"""
REVOKE = """UPDATE access_token SET revoked_at = %s
            WHERE secret_sha256 = %s AND revoked_at IS NULL"""


@dataclass(frozen=True, slots=True)
class _Remembered:
    actor: Actor
    expires_at: datetime
    checked_at: datetime

    def holds(self, now: datetime) -> bool:
        return now < self.expires_at and abs(now - self.checked_at) < REMEMBERED_FOR


_remembered: OrderedDict[bytes, _Remembered] = OrderedDict()


def parse_ttl(text: str) -> timedelta:
    """``90s``, ``30m``, ``1h``, ``7d``."""
    found = TTL.fullmatch(text)
    if found is None:
        raise Malformed("token.ttl-malformed", ttl=text[:20])
    return timedelta(**{UNITS[found[2]]: int(found[1])})


async def issue_token(
    tx: Connection,
    scopes: frozenset[Scope],
    ttl: timedelta,
    *,
    organisation: str | None = None,
    name: str = "",
    staff_feed: bool = False,
    now: datetime | None = None,
) -> str:
    """A new secret, shown once. Without organisation the token is system-wide."""
    if not timedelta(0) < ttl <= LONGEST:
        raise Invalid("token.ttl-out-of-range", days=LONGEST.days)
    if any(scope.level == "patient" for scope in scopes):
        raise Invalid("token.patient-scope-without-patient")
    if staff_feed and organisation is None:
        raise Invalid("token.feed-without-organisation")
    secret, now = new_secret(), now or utc_now()
    texts = sorted(as_text(scopes)) + [STAFF_FEED] * staff_feed
    row = (new_id(), fingerprint(secret), name, texts, organisation, now, now + ttl)
    await tx.execute(ISSUE, row)
    return secret


async def token_actor(db: Database, secret: str, now: datetime) -> Actor | None:
    """Who holds this token; None when it is unknown, expired or revoked."""
    digest = fingerprint(secret)
    remembered = _remembered.get(digest)
    if remembered and remembered.holds(now):
        return remembered.actor
    async with db.connection() as c:
        row = await (await c.execute(FIND, (digest, now))).fetchone()
        if row is not None and row[5] is not None:
            # Never remembered: what people allowed ends at once where they say so.
            return await holder(c, row[5], row[6], frozenset(row[2]), row[3], now)
    if row is None:
        _remembered.pop(digest, None)
        return None
    token_id, name, scopes, organisation, expires_at, *_ = row
    actor = Actor(
        id=token_id,
        kind=Kind.MACHINE,
        name=name,
        role="system",
        organisation=organisation,
        scopes=frozenset(scopes),
    )
    _remember(digest, _Remembered(actor, expires_at, checked_at=now))
    return actor


async def revoke_token(tx: Connection, secret: str, now: datetime) -> None:
    digest = fingerprint(secret)
    await tx.execute(REVOKE, (now, digest))
    _remembered.pop(digest, None)


def _remember(digest: bytes, found: _Remembered) -> None:
    _remembered[digest] = found
    _remembered.move_to_end(digest)
    if len(_remembered) > MOST_REMEMBERED:
        _remembered.popitem(last=False)
