"""The DICOMweb service on a real port, so that real clients can talk to it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from serai.fhir.store import FhirStore
from serai.fhir.subscriptions.hub import Hub
from serai.imaging import study, viewer
from serai.imaging.archive import Archive
from serai.imaging.dicomweb import routes as dicomweb
from serai.imaging.ups import channel
from serai.imaging.ups import routes as ups
from serai.kernel.errors import SeraiError
from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web import assets
from serai.web.application import error_handlers
from serai.web.authentication import Authentication


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens and what it keeps."""

    url: str
    home: Path
    database_url: str

    @property
    def dicomweb(self) -> str:
        return f"{self.url}/dicomweb"

    def token(self, *, organisation: str | None = None, scope: str = "system/*.cruds") -> str:
        return asyncio.run(self._token(organisation, scope))

    def headers(self, *, organisation: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(organisation=organisation)}"}

    async def _token(self, organisation: str | None, scope: str) -> str:
        db = await Database.open(self.database_url, max_size=1)
        try:
            async with db.transaction() as tx:
                scopes = parse_scopes(scope)
                return await issue_token(tx, scopes, timedelta(hours=1), organisation=organisation)
        finally:
            await db.close()


async def _refuse(_: Request, error: SeraiError) -> Response:
    return PlainTextResponse(error.key, 401)


def imaging_app(settings: Settings, database_url: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.db = await Database.open(database_url, max_size=5)
        app.state.workitem_sockets = Hub(database_url, channel.LISTEN)
        yield
        await app.state.workitem_sockets.close()
        await app.state.db.close()

    app = Starlette(
        routes=[
            *ups.routes(),
            *dicomweb.routes(),
            *viewer.routes(settings),
            *study.routes(),
            *assets.routes(),
        ],
        exception_handlers=error_handlers(),
        middleware=[Middleware(channel.EventDoor), Middleware(Authentication, refuse=_refuse)],
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.fhir = FhirStore()
    app.state.blobs = Blobs.at(settings)
    app.state.archive = Archive(app.state.fhir, app.state.blobs, Blobs.cold_at(settings))
    return app


@contextmanager
def serving(
    database_url: str, home: Path, blobs: str | None = None, cold: str | None = None
) -> Iterator[Server]:
    settings = Settings(home=home, blobs=blobs, blobs_cold=cold)
    config = uvicorn.Config(imaging_app(settings, database_url), log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=asyncio.run, args=[server.serve(sockets=[listening])])
        thread.start()
        while not server.started:
            assert thread.is_alive()
        try:
            yield Server(f"http://127.0.0.1:{listening.getsockname()[1]}", home, database_url)
        finally:
            server.should_exit = True
            thread.join()
