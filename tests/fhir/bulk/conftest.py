"""A server with jobs: asked through HTTP, worked off in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from tests.fhir.conftest import BASE, MACHINE, SignedIn

from serai.fhir.http import FhirDoor
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.queue import Runner, serve
from serai.platform.settings import Settings
from serai.serving.jobs import works

ASYNC = {"prefer": "respond-async"}


class Node:
    """One node: its clients, and its runner of jobs for as long as a test wants it."""

    def __init__(self, db: Database, url: str, home: Path) -> None:
        self.db, self.url = db, url
        self.settings = Settings(home=home, database_url=url)
        self.store = FhirStore(base=BASE)
        self.blobs = Blobs.at(self.settings)
        self.app = Starlette(middleware=[Middleware(FhirDoor)])
        self.app.state.db = db
        self.app.state.fhir = self.store
        self.app.state.settings = self.settings
        self.app.state.blobs = self.blobs

    def client(self, actor: Actor = MACHINE) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=SignedIn(self.app, actor))
        return httpx.AsyncClient(transport=transport, base_url=BASE + "/")

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        runner = Runner(self.db, works(self.settings, self.store, self.blobs), stop)
        task = asyncio.create_task(serve(runner, self.url, lambda: None))
        yield
        stop.set()
        await task

    async def finished(self, client: httpx.AsyncClient, kicked: httpx.Response) -> httpx.Response:
        """The last answer of a job's address."""
        assert kicked.status_code == 202, kicked.text
        async with self.working():
            return await until_over(client, kicked.headers["content-location"])

    async def exported(
        self, address: str, actor: Actor = MACHINE, **params: str
    ) -> dict[str, list[str]]:
        """References by list of the manifest, as the client downloads them."""
        async with self.client(actor) as client:
            kicked = await client.get(address, params=params, headers=ASYNC)
            return await downloaded(client, (await self.finished(client, kicked)).json())


async def until_over(client: httpx.AsyncClient, address: str) -> httpx.Response:
    for _ in range(600):
        answer = await client.get(address)
        if answer.status_code != 202:
            return answer
        await asyncio.sleep(0.1)
    raise AssertionError("the job does not come to an end")


async def downloaded(client: httpx.AsyncClient, manifest: dict[str, Any]) -> dict[str, list[str]]:
    import msgspec

    found: dict[str, list[str]] = {}
    for name in ("output", "deleted", "error"):
        found[name] = []
        for file in manifest[name]:
            answer = await client.get(file["url"])
            assert answer.status_code == 200
            lines = [msgspec.json.decode(line) for line in answer.content.splitlines()]
            assert len(lines) == file["count"]
            assert {line["resourceType"] for line in lines} == {file["type"]}
            found[name] += [reference for line in lines for reference in _references(line)]
    return found


def _references(line: dict[str, Any]) -> list[str]:
    if line["resourceType"] == "Bundle":
        return [entry["request"]["url"] for entry in line["entry"]]
    return [f"{line['resourceType']}/{line['id']}"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest_asyncio.fixture
async def node(db: Database, database_url: str, home: Path) -> Node:
    return Node(db, database_url, home)
