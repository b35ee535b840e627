"""A job in the hands of its runner, as the work itself sees it; knows nothing of the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from serai.kernel.clock import utc_now
from serai.kernel.errors import Unavailable
from serai.platform import jobs
from serai.platform.db import Connection, Database
from serai.platform.jobs import Job

# Longer than any honest job; what is not done by then says so instead of going on forever.
LONGEST = timedelta(hours=48)


class Paused(Exception):
    """The server stops: the job goes back into the queue and on from its checkpoint."""


@dataclass
class Running:
    """A job in the hands of its runner. `stop` is set when the server stops."""

    db: Database
    job: Job
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def go_on(self) -> None:
        """Between two steps: raises when there is a reason not to take the next."""
        if self.stop.is_set():
            raise Paused
        if self.job.started_at and utc_now() - self.job.started_at > LONGEST:
            raise Unavailable("job.too-long", hours=LONGEST // timedelta(hours=1))

    async def move(
        self, tx: Connection, state: Mapping[str, Any], *, done: int, total: int | None = None
    ) -> None:
        """A checkpoint, in the transaction that did the step."""
        self.job = await jobs.move(tx, self.job, state, done=done, total=total, now=utc_now())


# Works from `running.job.state` on to the end; what it returns is how long the result is kept.
Work = Callable[[Running], Awaitable[timedelta | None]]


async def stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Sleep that ends early when the server stops."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
