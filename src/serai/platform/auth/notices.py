"""What happened to an account that its holder should know of; shown on their own page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serai.platform.db import Connection

SHOWN = 20

TELL = "INSERT INTO account_notice (account, at, what, count, address) VALUES (%s, %s, %s, %s, %s)"
LATEST = """SELECT at, what, count, address, seen_at IS NULL FROM account_notice
            WHERE account = %s ORDER BY at DESC LIMIT %s"""
WAITING = "SELECT EXISTS (SELECT FROM account_notice WHERE account = %s AND seen_at IS NULL)"
SEEN = "UPDATE account_notice SET seen_at = %s WHERE account = %s AND seen_at IS NULL"


@dataclass(frozen=True, slots=True)
class Notice:
    """`what` is the end of a message key: ``notice.wrong-tries``."""

    at: datetime
    what: str
    count: int | None
    address: str
    new: bool


async def tell(
    tx: Connection,
    account_id: str,
    what: str,
    *,
    at: datetime,
    count: int | None = None,
    address: str = "",
) -> None:
    await tx.execute(TELL, (account_id, at, what, count, address))


async def latest(c: Connection, account_id: str) -> list[Notice]:
    return [Notice(*row) async for row in await c.execute(LATEST, (account_id, SHOWN))]


async def waiting(c: Connection, account_id: str) -> bool:
    """Whether there is something that the person has not looked at."""
    row = await (await c.execute(WAITING, (account_id,))).fetchone()
    return bool(row and row[0])


async def seen(tx: Connection, account_id: str, now: datetime) -> None:
    await tx.execute(SEEN, (now, account_id))
