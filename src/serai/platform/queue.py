"""The runner of jobs: procrastinate takes them from the queue, one process works them off.

Its worker keeps a heartbeat. A job whose worker fell silent, after kill -9 or a power cut, is
queued again and goes on from its checkpoint; `fhir_job.run` keeps two from moving the same one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, RetryStrategy

from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError, Unavailable
from serai.platform import jobs
from serai.platform.db import Database
from serai.platform.jobs import QUEUE, TASK, Job, Moved
from serai.platform.running import Paused, Running, Work, stopped_within

AT_ONCE = 2
HEARTBEAT_S = 2.0
SILENT_AFTER_S = 10.0
STOP_WITHIN_S = 5.0
AGAIN_IN_S = 3
TRIES = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runner:
    """The works by kind of job, and the database they are done in."""

    db: Database
    works: Mapping[str, Work]
    stop: asyncio.Event

    async def run(self, id: str) -> None:
        """One job to its end; raises only what is worth another try."""
        async with self.db.connection() as connection:
            job = await jobs.begin(connection, id, now=utc_now())
        if job is None:
            return
        running = Running(self.db, job, self.stop)
        try:
            kept = await self.works[job.kind](running)
        except Moved:
            return
        except (Paused, Unavailable, psycopg.OperationalError) as error:
            if isinstance(error, Unavailable) and error.key == "job.too-long":
                await self._fail(running.job, error.key, error.details)
                return
            raise
        except SeraiError as error:
            await self._fail(running.job, error.key, error.details)
        except Exception:
            log.exception("job %s of kind %s broke", job.id, job.kind)
            await self._fail(running.job, "job.broke", {})
        else:
            now = utc_now()
            async with self.db.connection() as connection:
                await jobs.end(
                    connection, running.job, now=now, expires_at=now + kept if kept else None
                )

    async def _fail(self, job: Job, key: str, details: Mapping[str, Any]) -> None:
        async with self.db.connection() as connection:
            await jobs.end(connection, job, now=utc_now(), error=key, details=details)

    async def give_up(self, id: str) -> None:
        """After the last try: the job says that it failed; staff can resume it."""
        async with self.db.connection() as connection:
            job = await jobs.begin(connection, id, now=utc_now())
            if job is not None:
                await jobs.end(connection, job, now=utc_now(), error="job.gave-up")


async def serve(runner: Runner, database_url: str, ready: Callable[[], None]) -> None:
    """Work jobs off until `runner.stop` is set."""
    connector = PsycopgConnector(conninfo=database_url, min_size=1, max_size=2)
    app = App(connector=connector)

    # A pause is no failure and may happen any number of times; the others have had their tries.
    @app.task(name=TASK, queue=QUEUE, retry=RetryStrategy(wait=0, retry_exceptions={Paused}))
    async def run(job: str) -> None:
        for _ in range(TRIES):
            try:
                return await runner.run(job)
            except (Unavailable, psycopg.OperationalError):
                log.warning("job %s waits for the database", job)
                if await stopped_within(runner.stop, AGAIN_IN_S):
                    raise Paused from None
        return await runner.give_up(job)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.open_async())
        await _take_up_silent(app, runner.db)
        worker = asyncio.create_task(
            app.run_worker_async(
                queues=[QUEUE],
                concurrency=AT_ONCE,
                install_signal_handlers=False,
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=SILENT_AFTER_S,
                shutdown_graceful_timeout=STOP_WITHIN_S,
                delete_jobs="always",
            )
        )
        ready()
        await _watch(app, runner, worker)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def _watch(app: App, runner: Runner, worker: asyncio.Task[None]) -> None:
    """Take up what others left behind, until told to stop or the worker ends."""
    while not worker.done() and not await stopped_within(runner.stop, HEARTBEAT_S):
        await _take_up_silent(app, runner.db)
    if worker.done():
        # Its reason, for the log; the supervisor starts this process again.
        worker.result()


async def _take_up_silent(app: App, db: Database) -> None:
    for left in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=SILENT_AFTER_S):
        log.warning("job %s is taken up again", left.task_kwargs.get("job"))
        await app.job_manager.retry_job(left)
    async with db.transaction() as tx:
        await jobs.requeue_lost(tx)
