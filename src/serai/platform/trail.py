"""The audit trail of looking: who read or searched what.

A change writes its audit line in its own transaction (`platform.audit`). A look changes nothing,
so its line is noted in memory before the answer goes out and written within a second together
with others. A killed process loses at most that second; a full trail refuses further looks
rather than let them go unseen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import psycopg

from serai.kernel.actor import Actor
from serai.kernel.errors import SeraiError, Unavailable
from serai.platform.db import Connection, Database

WRITE_EVERY_S = 0.5
MOST_LINES_AT_ONCE = 5_000
MOST_LINES_WAITING = 100_000

# Lines travel as one JSON text: an array of composites would be written element by element.
WRITE = """INSERT INTO audit_event
    (at, actor, actor_name, organisation, act, resource, version, patients, outcome)
    SELECT at, actor, actor_name, organisation, act, resource, version,
           coalesce(patients, '{}'), 'success'
    FROM json_to_recordset(%s::json) AS t(
        at timestamptz, actor text, actor_name text, organisation text, act text,
        resource text, version integer, patients text[])"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """One read or search; `resource` is ``Patient/1``, or a type with the names (never the
    values) of its search parameters."""

    at: datetime
    actor: str
    actor_name: str
    organisation: str | None
    act: str
    resource: str
    version: int | None
    patients: Sequence[str]


@dataclass(slots=True)
class Trail:
    """One per process; `keep` runs as long as the process serves."""

    most: int = MOST_LINES_WAITING
    _lines: list[Look] = field(default_factory=list)

    def note(
        self,
        actor: Actor,
        act: str,
        resource: str,
        *,
        at: datetime,
        version: int | None = None,
        patients: Sequence[str] = (),
    ) -> None:
        """Unavailable when the database has not taken lines for so long that memory is full."""
        if len(self._lines) >= self.most:
            raise Unavailable("audit.full")
        self._lines.append(
            Look(at, actor.id, actor.name, actor.organisation, act, resource, version, patients)
        )

    async def write(self, connection: Connection) -> None:
        """Moves everything noted so far into the database."""
        while self._lines:
            lines, self._lines = (
                self._lines[:MOST_LINES_AT_ONCE],
                self._lines[MOST_LINES_AT_ONCE:],
            )
            try:
                await connection.execute(WRITE, [msgspec.json.encode(lines).decode()])
            except BaseException:
                self._lines[:0] = lines
                raise

    async def keep(self, db: Database) -> None:
        """Write every half second until cancelled, then once more."""
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY_S)
                with suppress(SeraiError, psycopg.OperationalError):
                    await self._write_some(db)
        finally:
            await self._write_some(db)

    async def _write_some(self, db: Database) -> None:
        if not self._lines:
            return
        try:
            async with db.connection() as connection:
                await self.write(connection)
        except (SeraiError, psycopg.OperationalError):
            log.warning("the audit trail of %d reads waits for the database", len(self._lines))
            raise
