"""Jobs done as their process does them: queued, begun, worked off from their checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform import jobs
from serai.platform.db import Database
from serai.platform.running import Running


async def begun(db: Database, kind: str, parameters: Mapping[str, Any] | None = None) -> Running:
    """A job of its own, in the hands of a runner."""
    async with db.transaction() as tx:
        id = await jobs.ask(tx, kind, parameters or {}, actor=serai_itself, now=utc_now())
    return await again(db, id)


async def again(db: Database, id: str) -> Running:
    """The same job taken up by another runner, from its checkpoint."""
    async with db.connection() as connection:
        job = await jobs.begin(connection, id, now=utc_now())
    assert job
    return Running(db, job, asyncio.Event())
