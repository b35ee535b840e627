"""The brake on password guessing: so many tries per login and per address in a window.

A try is counted before the password is looked at, so that many guesses at once cannot slip
through together. The whole network of a hospital may share one address, so it has more room. Every
lock of a login lasts twice as long as the one before, until the right password or an
administrator ends it; a passkey still opens the account, so that nobody can lock its holder out.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from serai.kernel.errors import RateLimited
from serai.platform.db import Connection, Database

WINDOW = timedelta(minutes=15)
TRIES_PER_LOGIN = 10
TRIES_PER_ADDRESS = 100
LONGEST_LOCK = timedelta(hours=24)
# Locks are forgotten when nobody tried for so long.
REMEMBERED = timedelta(days=2)

_WINDOW = "interval '15 minutes' * least(power(2, least(tried.locks, 10)), 96)"
_OVER = f"tried.since <= %(now)s - {_WINDOW}"

# A window that is over starts again; rows go in one order, so that two sign-ins cannot deadlock.
COUNT_TRY = f"""
    INSERT INTO sign_in_tries AS tried (kind, name, since, tries)
    VALUES ('address', %(address)s, %(now)s, 1), ('login', %(login)s, %(now)s, 1)
    ON CONFLICT (kind, name) DO UPDATE SET
        since = CASE WHEN {_OVER} THEN excluded.since ELSE tried.since END,
        tries = CASE WHEN {_OVER} THEN 1 ELSE tried.tries + 1 END,
        locks = CASE WHEN tried.since <= %(forgotten)s OR tried.kind = 'address' THEN 0
                     WHEN {_OVER} AND tried.tries >= %(most)s THEN tried.locks + 1
                     ELSE tried.locks END
    RETURNING kind, since, tries, locks"""  # noqa: S608

# Who got in has guessed nothing: the login starts afresh and the address gets its try back.
FORGIVE = """
    WITH held AS (
        SELECT kind, name, tries FROM sign_in_tries
        WHERE (kind, name) IN (('address', %(address)s), ('login', %(login)s))
        ORDER BY kind FOR UPDATE
    )
    UPDATE sign_in_tries AS tried
    SET tries = CASE tried.kind WHEN 'login' THEN 0 ELSE greatest(tried.tries - 1, 0) END,
        locks = 0
    FROM held WHERE (tried.kind, tried.name) = (held.kind, held.name)
    RETURNING held.kind, held.tries"""

# Rows whose window is over say nothing any more; who is just being counted is left alone.
FORGET_OLD = f"""
    DELETE FROM sign_in_tries WHERE (kind, name) IN (
        SELECT kind, name FROM sign_in_tries tried
        WHERE {_OVER} AND (tried.since <= %(forgotten)s OR tried.kind = 'address'
                           OR (tried.tries < %(most)s AND tried.locks = 0))
        LIMIT 1000 FOR UPDATE SKIP LOCKED
    )"""  # noqa: S608

UNLOCK = "DELETE FROM sign_in_tries WHERE kind = 'login' AND name = %s"
LOCKED = f"""SELECT name, since + {_WINDOW} FROM sign_in_tries tried
             WHERE kind = 'login' AND name = ANY(%s) AND tries >= %s"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Knock:
    """One try: the login as a hash, the address as its network."""

    login: str
    address: str


def knock(login: str, address: str) -> Knock:
    digest = hashlib.sha256(login.encode("utf-8", "surrogatepass")).hexdigest()
    return Knock(digest, _network(address))


async def count_try(db: Database, tried: Knock, now: datetime) -> None:
    """Count the try; RateLimited with the seconds to wait when there were too many."""
    limits = {"login": TRIES_PER_LOGIN, "address": TRIES_PER_ADDRESS}
    async with db.connection() as connection:
        rows = await connection.execute(COUNT_TRY, _facts(tried, now))
        waits = [
            since + window(locks) - now
            async for kind, since, tries, locks in rows
            if tries > limits[kind]
        ]
    if waits:
        raise RateLimited("sign-in.too-many-tries", seconds=math.ceil(max(waits).total_seconds()))


def window(locks: int) -> timedelta:
    """How long tries are counted together, and at most how long a login then stays locked."""
    return min(WINDOW * (1 << min(locks, 10)), LONGEST_LOCK)


async def forgive(tx: Connection, tried: Knock, now: datetime) -> int:
    """Take the try back, and clear out what is long over; returns how many before were wrong."""
    facts = _facts(tried, now)
    counted: dict[str, int] = {
        kind: tries async for kind, tries in await tx.execute(FORGIVE, facts)
    }
    await tx.execute(FORGET_OLD, facts)
    return max(counted.get("login", 1) - 1, 0)


async def unlock(tx: Connection, login: str) -> None:
    """An administrator knows that the person is who they say."""
    await tx.execute(UNLOCK, (knock(login, "").login,))


async def locked(c: Connection, logins: Iterable[str], now: datetime) -> dict[str, datetime]:
    """Until when each of these logins is locked; those that are not are left out."""
    names = {knock(login, "").login: login for login in logins}
    rows = await c.execute(LOCKED, (list(names), TRIES_PER_LOGIN))
    return {names[name]: until async for name, until in rows if until > now}


def _facts(tried: Knock, now: datetime) -> dict[str, object]:
    return {
        "address": tried.address,
        "login": tried.login,
        "now": now,
        "forgotten": now - REMEMBERED,
        "most": TRIES_PER_LOGIN,
    }


def _network(address: str) -> str:
    """An IPv6 subscriber owns a whole /64 and could try from every address of it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)
