"""The process of long work: jobs from the queue, and the chores that never end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any

from serai.fhir.bulk import exporting, files, reindexing
from serai.fhir.bulk.inputs import Hosts
from serai.fhir.store import FhirStore
from serai.fhir.store.parameters import OFTEN_S
from serai.fhir.subscriptions import delivering, forgetting
from serai.fhir.subscriptions.guarding import allowed_hosts
from serai.fhir.terminology import packaged
from serai.imaging import uploads
from serai.imaging.light import ready as light
from serai.imaging.ups import forgetting as workitems
from serai.platform import queue
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.queue import Runner
from serai.platform.running import Running, Work, stopped_within
from serai.platform.settings import Settings
from serai.record import fhir_store
from serai.serving.lean import load_after_all

CONNECTIONS = 6
AGAIN_IN_S = 5.0

log = logging.getLogger(__name__)

# Runs until `stop` is set; one that breaks is begun again.
Chore = Callable[[Database, FhirStore, asyncio.Event], Awaitable[None]]


async def bring_terminology(db: Database, _store: FhirStore, stop: asyncio.Event) -> None:
    """HL7's own vocabulary, or the first who asks for a code would wait for it."""
    async with db.connection() as connection:
        await packaged.ensure(connection)
    await stop.wait()


async def _look_at_parameters(db: Database, store: FhirStore, stop: asyncio.Event) -> None:
    """What is indexed here honours the parameters that the web processes were given."""
    while not stop.is_set():
        async with db.connection() as connection:
            await store.parameters.look(connection)
        await stopped_within(stop, OFTEN_S)


async def _ask_for_keeping(
    db: Database, store: FhirStore, stop: asyncio.Event, *, has_cold: bool
) -> None:
    scheduling = import_module("serai.imaging.keeping.scheduling")
    await scheduling.ask_until(db, store, stop, has_cold=has_cold)


CHORES: tuple[Chore, ...] = (bring_terminology, _look_at_parameters)


def works(settings: Settings, store: FhirStore, blobs: Blobs) -> Mapping[str, Work]:
    """What is done for each kind of job."""
    return {
        "export": partial(
            exporting.run, store=store, blobs=blobs, keep_hours=settings.export_hours
        ),
        "deidentify": partial(_deidentify, store=store, blobs=blobs),
        "analysis": partial(_analyse, settings, store=store, blobs=blobs),
        "import": partial(_import, settings, store=store, blobs=blobs),
        "reindex": partial(reindexing.run, base=store.base),
        **{kind: partial(_keep, settings, kind, hot=blobs) for kind in ("scrub", "tier", "recall")},
    }


async def _deidentify(running: Running, **given: Any) -> timedelta | None:
    """pydicom and what it decodes with are loaded with the first project that runs."""
    taking = import_module("serai.deidentify.projects.actions.taking")
    work: Work = partial(taking.take, **given)
    return await work(running)


async def _keep(settings: Settings, kind: str, running: Running, *, hot: Blobs) -> timedelta | None:
    """What is done for the pictures' bytes; loaded with the first such job."""
    module = "scrubbing" if kind == "scrub" else "tiers"
    work = getattr(import_module(f"serai.imaging.keeping.{module}"), kind)
    kept: timedelta | None = await work(running, hot=hot, cold=Blobs.cold_at(settings))
    return kept


async def _import(settings: Settings, running: Running, **given: Any) -> timedelta | None:
    """Its code is loaded with the first import, not with every start."""
    load_after_all("rich")
    fetching = import_module("serai.exchange.importing.inputs").Fetching(
        Hosts.of(settings), settings.import_ca, settings.import_most_mb << 20
    )
    importing = import_module("serai.exchange.importing.jobs")
    work: Work = partial(
        importing.run, keep_hours=settings.export_hours, fetching=fetching, **given
    )
    return await work(running)


async def _analyse(
    settings: Settings, running: Running, *, store: FhirStore, blobs: Blobs
) -> timedelta | None:
    """Its code, too, is loaded when it is needed."""
    archive = import_module("serai.imaging.archive").Archive(store, blobs)
    limits = import_module("serai.imaging.analysis.box").Limits.of(settings)
    registered = partial(import_module("serai.imaging.analysis.registry").registered, settings.home)
    work: Work = partial(
        import_module("serai.imaging.analysis.running").run,
        archive=archive,
        home=settings.home,
        registered=registered,
        limits=limits,
    )
    return await work(running)


async def _watch_series(
    settings: Settings, db: Database, _store: FhirStore, stop: asyncio.Event
) -> None:
    """Series that have come are judged, and analysers queued for those that are complete."""
    import_module("serai.imaging.analysis.running").clear(settings.home)
    await import_module("serai.imaging.analysis.watching").watch_until(settings.home, db, stop)


def serve(
    settings: Settings, listening: Sequence[socket.socket], ready: Callable[[], None]
) -> None:
    """Work until a signal comes; what is not done then goes on at the next start."""
    for each in listening:
        each.close()
    asyncio.run(run(settings, ready))


async def run(settings: Settings, ready: Callable[[], None]) -> None:
    assert settings.database_url
    # Each job's steps are in fhir_job; the log needs what goes wrong.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store, blobs = fhir_store(settings), Blobs.at(settings)
    db = await Database.open(settings.database_url, max_size=CONNECTIONS)
    try:
        deliver = partial(
            delivering.run,
            database_url=settings.database_url,
            hosts=allowed_hosts(settings.subscription_hosts),
            authorities=settings.subscription_ca,
        )
        chores: tuple[Chore, ...] = (
            *CHORES,
            partial(files.sweep_until, blobs),
            partial(forgetting.forget_until, settings.dead_letter_days),
            partial(workitems.forget_until, settings.workitem_days),
            workitems.begin_anew,
            partial(_ask_for_keeping, has_cold=settings.blobs_cold is not None),
            partial(uploads.sweep_until, settings.home),
            partial(light.make_until, blobs),
            partial(_watch_series, settings),
            deliver,
        )
        async with asyncio.TaskGroup() as group:
            for chore in chores:
                group.create_task(_keep_doing(chore, db, store, stop))
            runner = Runner(db, works(settings, store, blobs), stop)
            group.create_task(queue.serve(runner, settings.database_url, ready))
    finally:
        await db.close()


async def _keep_doing(chore: Chore, db: Database, store: FhirStore, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await chore(db, store, stop)
        except Exception:
            log.exception("a chore broke and begins again")
            await stopped_within(stop, AGAIN_IN_S)
