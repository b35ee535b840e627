"""Who a subscription acts for, with the rights this actor has now, not when it was made."""

from __future__ import annotations

from datetime import datetime

from serai.kernel.actor import Actor, Kind, serai_itself
from serai.kernel.errors import NotFound
from serai.platform.auth.accounts import read_account
from serai.platform.db import Connection

HELD = """SELECT name, scopes, organisation FROM access_token
    WHERE id = %s AND revoked_at IS NULL AND expires_at > %s"""


async def subscriber(connection: Connection, id: str, kind: str, *, now: datetime) -> Actor | None:
    """None when the account is closed, or the token revoked or expired: then nothing is sent."""
    if kind == Kind.SYSTEM:
        return serai_itself if id == serai_itself.id else None
    if kind == Kind.STAFF:
        return await _staff(connection, id)
    row = await (await connection.execute(HELD, (id, now))).fetchone()
    if row is None:
        return None
    name, scopes, organisation = row
    return Actor(id, Kind.MACHINE, name, "system", organisation, scopes=frozenset(scopes))


async def _staff(connection: Connection, id: str) -> Actor | None:
    try:
        account = await read_account(connection, id)
    except NotFound:
        return None
    return None if account.disabled_at else account.actor
