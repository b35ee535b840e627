"""The ECG pages on a real port, around an archive of their own, for somebody signed in."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from tests.imaging.archive.test_intake import of

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive, Outcome
from serai.imaging.ecg import pages as ecg_pages
from serai.imaging.ecg import receive
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account
from serai.platform.auth.sessions import open_session
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web import application as web

COUNTY = of("county")


@dataclass(frozen=True, slots=True)
class Site:
    """Where the pages are, and what is behind them."""

    url: str
    home: Path
    database_url: str

    def keep(self, *contents: bytes, actor: Actor = COUNTY) -> Sequence[Outcome]:
        return asyncio.run(self._keep(contents, actor))

    def patient(self, number: str, actor: Actor = COUNTY) -> str:
        return asyncio.run(self._patient(number, actor))

    def cookie(self, organisation: str, language: str = "en") -> str:
        return asyncio.run(self._cookie(organisation, language))

    def client(self, organisation: str, language: str = "en") -> httpx.Client:
        headers = {"Cookie": f"serai_session={self.cookie(organisation, language)}"}
        return httpx.Client(base_url=self.url, headers=headers | {"Accept-Language": language})

    async def _keep(self, contents: Sequence[bytes], actor: Actor) -> Sequence[Outcome]:
        db = await Database.open(self.database_url, max_size=2)
        archive = Archive(FhirStore(), Blobs(self.home))
        intake = archive.intake(db, actor)
        received = [receive(content) for content in contents]
        outcomes = await intake.keep(received, now=utc_now())
        await intake.finish(now=utc_now())
        await db.close()
        return outcomes

    async def _patient(self, number: str, actor: Actor) -> str:
        db = await Database.open(self.database_url, max_size=1)
        person = {"resourceType": "Patient", "identifier": [{"value": number}]}
        async with db.transaction() as tx:
            made = await FhirStore().create(tx, body.of(person), actor=actor, now=utc_now())
        await db.close()
        return made.id

    async def _cookie(self, organisation: str, language: str) -> str:
        db = await Database.open(self.database_url, max_size=1)
        async with db.transaction() as tx:
            account = await create_account(
                tx,
                login=f"{organisation}.{language}.doctor",
                password="caravanserai-demo",
                name="Dr Chen",
                role="doctor",
                organisation=organisation,
            )
            secret, _ = await open_session(tx, account.id, utc_now())
        await db.close()
        return secret


def pages(settings: Settings, database_url: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.db = await Database.open(database_url, max_size=3)
        yield
        await app.state.db.close()

    app = Starlette(
        routes=[*web.routes(), *ecg_pages.routes()],
        middleware=web.middleware(),
        exception_handlers=web.error_handlers(),
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.blobs = Blobs(settings.home)
    app.state.navigation = ()
    return app


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    app = pages(Settings(home=tmp_path), database_url)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=asyncio.run, args=[server.serve(sockets=[listening])])
        thread.start()
        while not server.started:
            assert thread.is_alive()
        try:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            yield Site(address, tmp_path, database_url)
        finally:
            server.should_exit = True
            thread.join()
