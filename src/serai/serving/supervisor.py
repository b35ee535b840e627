"""Starting everything in the right order, and stopping it in the reverse."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import NoReturn

from serai.kernel.errors import SeraiError
from serai.platform.blobs import Blobs
from serai.platform.locks import only_server, prepare_home
from serai.platform.migrate import migrate, search_values_are_due, secrets_are_due
from serai.platform.postgres import Cluster, database_failures
from serai.platform.settings import Settings
from serai.serving.parts import Order, Parts
from serai.serving.ports import listen
from serai.serving.stopping import Stopping

LOOK_EVERY_S = 5.0

log = logging.getLogger(__name__)

Told = Callable[[Settings], None]


def serve(
    settings: Settings, parts: Parts, stopping: Stopping, *, prepare: Told, ready: Told
) -> None:
    """Run until `Stopped`; raises SeraiError when something keeps the server from starting.

    `parts` holds the first web worker, loading its code meanwhile. `prepare` may fill the
    migrated database before anybody is served, `ready` is told when all parts answer; both
    get the settings with the database's address filled in.
    """
    prepare_home(settings.home)
    cluster = None if settings.database_url else Cluster(settings.home)
    with only_server(settings.home), _listening(settings) as sockets:
        parts.add("dicom", "dicom")
        parts.add("jobs", "jobs")
        for number in range(2, settings.workers + 1):
            parts.add(f"web {number}", "web")
            parts.add(f"dicom {number}", "dicom")
        # Closed once more outside; here, because the parts must go before their database.
        with _started(cluster, stopping), closing(parts):
            address = settings.database_url or (cluster.url if cluster else "")
            with database_failures():
                migrate(address)
                if search_values_are_due(address):
                    _renew(settings, address)
            complete = settings.model_copy(update={"database_url": address})
            if secrets_are_due(address):
                _seal_secrets(complete)
            Blobs.at(complete).remove_unfinished()
            prepare(complete)
            parts.begin(Order(complete.model_dump_json(), sockets))
            with stopping.later():
                ready(complete)
            _watch(cluster, stopping)


def _renew(settings: Settings, address: str) -> None:
    # Only a start that has something to renew pays for these imports.
    from serai.fhir.store.renewing import renew  # noqa: PLC0415
    from serai.platform.db import Database  # noqa: PLC0415

    async def run() -> None:
        db = await Database.open(address, max_size=1)
        try:
            await renew(db, base=f"{settings.public_url}/fhir")
        finally:
            await db.close()

    asyncio.run(run())


def _seal_secrets(settings: Settings) -> None:
    """Those that an earlier version kept in the clear."""
    from serai.fhir.subscriptions import sealing  # noqa: PLC0415
    from serai.platform.db import Database  # noqa: PLC0415
    from serai.platform.encryption.columns import SEALERS, seal_what_is_plain  # noqa: PLC0415
    from serai.platform.encryption.keyring import Keyring  # noqa: PLC0415

    async def run() -> None:
        assert settings.database_url
        db = await Database.open(settings.database_url, max_size=1)
        try:
            sealers = {**SEALERS, "Subscription": sealing.seal_anew}
            await seal_what_is_plain(db, Keyring.of(settings), sealers)
        finally:
            await db.close()

    asyncio.run(run())


@contextmanager
def _listening(settings: Settings) -> Iterator[list[socket.socket]]:
    """The web's socket, then DICOM's; every process of a kind takes from the same one."""
    with ExitStack() as opened:
        ports = [(settings.host, settings.port), (settings.dimse_host, settings.dimse_port)]
        if settings.dimse_tls_port is not None:
            ports.append((settings.dimse_host, settings.dimse_tls_port))
        yield [opened.enter_context(listen(*each)) for each in ports]


@contextmanager
def _started(cluster: Cluster | None, stopping: Stopping) -> Iterator[None]:
    with ExitStack() as started:
        with stopping.later():
            if cluster:
                started.enter_context(cluster)
        yield


def _watch(cluster: Cluster | None, stopping: Stopping) -> NoReturn:
    """The parts have their keepers; the database has us. Ends with `Stopped`."""
    while True:
        time.sleep(LOOK_EVERY_S)
        if cluster:
            with stopping.later():
                try:
                    cluster.revive()
                except SeraiError as error:
                    log.error("the database does not start: %s", error.key)  # noqa: TRY400
