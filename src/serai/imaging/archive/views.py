"""When studies were last looked at, written for many together every few seconds."""

from __future__ import annotations

import time
from datetime import datetime

from serai.platform.db import Connection

WRITE_EVERY_S = 5.0
MOST_REMEMBERED = 100_000
WRITE = """INSERT INTO imaging_viewed (study_uid, at)
    SELECT uid, %(now)s FROM unnest(%(studies)s::text[]) AS uid
    ON CONFLICT (study_uid) DO UPDATE SET at = greatest(imaging_viewed.at, EXCLUDED.at)"""


class Views:
    """One per process; a killed one forgets a few seconds, where rules count days."""

    def __init__(self) -> None:
        self._new: set[str] = set()
        self._today: set[str] = set()
        self._day = ""
        self._written_at = float("-inf")

    async def note(self, connection: Connection, study: str, *, now: datetime) -> None:
        """Once a day for each study."""
        day = now.date().isoformat()
        if day != self._day or len(self._today) > MOST_REMEMBERED:
            self._day = day
            self._today.clear()
        if study not in self._today:
            self._today.add(study)
            self._new.add(study)
        if self._new and time.monotonic() - self._written_at > WRITE_EVERY_S:
            new, self._new = sorted(self._new), set()
            self._written_at = time.monotonic()
            await connection.execute(WRITE, {"studies": new, "now": now})
