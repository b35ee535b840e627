"""How much an organisation may keep, and how much it does.

What is used is summed from the studies as they are settled, so that storing an object costs
nothing more. Several senders of one organisation at once may each go over by what they bring
between two looks; one alone does not go over.
"""

from __future__ import annotations

import time

from serai.kernel.errors import Conflict
from serai.platform.db import Connection

LOOK_EVERY_S = 5.0
QUOTA = "SELECT bytes FROM imaging_quota WHERE owner = %(owner)s"
# What lies in the trash takes its place too.
USED = """SELECT
    (SELECT coalesce(sum(bytes), 0) FROM imaging_study WHERE owner = %(owner)s)::bigint
    + (SELECT coalesce(sum((row ->> 'size')::bigint), 0) FROM imaging_trash_row
       WHERE owner = %(owner)s AND blob IS NOT NULL)::bigint"""


class Room:
    """What is left for one sender of one organisation, looked up again every few seconds."""

    def __init__(self, owner: str | None) -> None:
        self._owner = owner
        self._left: int | None = None
        self._unsettled = 0
        self._looked_at = float("-inf")

    @property
    def is_old(self) -> bool:
        return self._owner is not None and time.monotonic() - self._looked_at > LOOK_EVERY_S

    async def look(self, connection: Connection) -> None:
        if not self.is_old:
            return
        quota = await quota_of(connection, str(self._owner))
        self._left = None
        if quota is not None:
            used = await used_by(connection, str(self._owner))
            self._left = quota - used - self._unsettled
        self._looked_at = time.monotonic()

    def has(self, size: int) -> bool:
        return self._left is None or size <= self._left

    def take(self, size: int) -> None:
        """Conflict when that is more than is left."""
        if not self.has(size):
            raise Conflict("imaging.over-quota")
        if self._left is not None:
            self._left -= size

    def grew(self, size: int) -> None:
        """A study has grown that is not settled yet."""
        self._unsettled += size

    def settled(self) -> None:
        self._unsettled = 0


async def quota_of(connection: Connection, owner: str) -> int | None:
    row = await (await connection.execute(QUOTA, {"owner": owner})).fetchone()
    return int(row[0]) if row else None


async def used_by(connection: Connection, owner: str) -> int:
    row = await (await connection.execute(USED, {"owner": owner})).fetchone()
    return int(row[0]) if row else 0
