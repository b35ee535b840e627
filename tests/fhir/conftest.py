"""A FHIR server over real PostgreSQL, asked through HTTP in-process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serai.fhir.http import FhirDoor
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor, Kind
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web.authentication import Signed
from serai.web.reader import Reader

BASE = "http://serai.test/fhir"
MACHINE = Actor(
    "machine", Kind.MACHINE, "Test machine", "system", scopes=frozenset({"system/*.cruds"})
)

Client = Callable[[Actor | None], httpx.AsyncClient]


class SignedIn:
    """Stands where the authentication middleware stands and lets one actor in."""

    def __init__(self, app: ASGIApp, actor: Actor | None) -> None:
        self.app = app
        self.actor = actor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["signed"] = Signed(self.actor, None, Reader())
        await self.app(scope, receive, send)


@pytest.fixture
def store() -> FhirStore:
    return FhirStore(base=BASE)


@pytest_asyncio.fixture
async def as_actor(db: Database, store: FhirStore) -> AsyncIterator[Client]:
    """An HTTP client for any actor, or for nobody."""
    app = Starlette(middleware=[Middleware(FhirDoor)])
    app.state.db = db
    app.state.fhir = store
    app.state.settings = Settings()
    opened: list[httpx.AsyncClient] = []

    def client(actor: Actor | None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=SignedIn(app, actor))
        made = httpx.AsyncClient(transport=transport, base_url=BASE + "/")
        opened.append(made)
        return made

    yield client
    for one in opened:
        await one.aclose()


@pytest.fixture
def fhir(as_actor: Client) -> httpx.AsyncClient:
    """The client of a machine that may do everything."""
    return as_actor(MACHINE)
