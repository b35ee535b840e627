"""The brake on password guessing: so many tries per login and per address in a window.

A try is counted before the password is looked at, so that many guesses at once cannot slip
through together. The whole network of a hospital may share one address, so it has more room.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from serai.kernel.errors import RateLimited
from serai.platform.db import Connection, Database

WINDOW = timedelta(minutes=15)
TRIES_PER_LOGIN = 10
TRIES_PER_ADDRESS = 100

# A window that is over starts again; rows go in one order, so that two sign-ins cannot deadlock.
COUNT_TRY = """
    INSERT INTO sign_in_tries AS tried (kind, name, since, tries)
    VALUES ('address', %(address)s, %(now)s, 1), ('login', %(login)s, %(now)s, 1)
    ON CONFLICT (kind, name) DO UPDATE SET
        since = CASE WHEN tried.since <= %(started)s THEN excluded.since ELSE tried.since END,
        tries = CASE WHEN tried.since <= %(started)s THEN 1 ELSE tried.tries + 1 END
    RETURNING kind, since, tries"""

# Who got in has guessed nothing: the login starts afresh and the address gets its try back.
FORGIVE = """
    WITH held AS (
        SELECT kind, name FROM sign_in_tries
        WHERE (kind, name) IN (('address', %(address)s), ('login', %(login)s))
        ORDER BY kind FOR UPDATE
    )
    UPDATE sign_in_tries AS tried
    SET tries = CASE tried.kind WHEN 'login' THEN 0 ELSE greatest(tries - 1, 0) END
    FROM held WHERE (tried.kind, tried.name) = (held.kind, held.name)"""

# Rows whose window is over say nothing any more; who is just being counted is left alone.
FORGET_OLD = """
    DELETE FROM sign_in_tries WHERE (kind, name) IN (
        SELECT kind, name FROM sign_in_tries WHERE since <= %(started)s
        LIMIT 1000 FOR UPDATE SKIP LOCKED
    )"""


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
    started = now - WINDOW
    limits = {"login": TRIES_PER_LOGIN, "address": TRIES_PER_ADDRESS}
    async with db.connection() as connection:
        rows = await connection.execute(
            COUNT_TRY,
            {"address": tried.address, "login": tried.login, "now": now, "started": started},
        )
        waits = [
            since + WINDOW - now
            async for kind, since, tries in rows
            if tries > limits[kind]
        ]  # fmt: skip
    if waits:
        raise RateLimited("sign-in.too-many-tries", seconds=math.ceil(max(waits).total_seconds()))


async def forgive(tx: Connection, tried: Knock, now: datetime) -> None:
    """Take the try back, and clear out what is long over."""
    await tx.execute(FORGIVE, {"address": tried.address, "login": tried.login})
    await tx.execute(FORGET_OLD, {"started": now - WINDOW})


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
