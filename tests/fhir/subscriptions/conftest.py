"""A server with a deliverer, and subscribers that really listen on loopback."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiohttp import web
from tests.fhir.conftest import BASE, Client

from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import delivering
from serai.fhir.subscriptions.guarding import register_guards
from serai.fhir.subscriptions.telling import Pace
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token, token_actor
from serai.platform.db import Database
from serai.platform.encryption.keyring import Keyring

HOST = "127.0.0.1"
HOSTS = (HOST, "localhost")
QUICK = Pace(first_pause_s=0.02, longest_pause_s=0.1, tries=5, look_every_s=0.3)

Data = dict[str, Any]


@dataclass
class Heard:
    """One request as the subscriber got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Data:
        found: Data = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """A subscriber's HTTP server. `answers` are the next statuses, then 200 for ever; it answers
    nothing while `hangs`."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    hangs: bool = False
    elsewhere: str = ""
    something: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.hangs:
            await asyncio.sleep(60)
        status = self.answers.pop(0) if self.answers else 200
        if status < 300:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.heard.append(Heard(request.method, request.path, headers, body))
            self.something.set()
        return web.Response(status=status, headers={"location": self.elsewhere})

    async def until(self, count: int, *, seconds: float = 15) -> list[Heard]:
        """What was accepted, when it is so many; fails when it does not become so many."""
        await self.until_true(lambda: len(self.heard) >= count, seconds=seconds)
        return self.heard

    async def until_true(self, enough: Callable[[], bool], *, seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while not enough():
                self.something.clear()
                await self.something.wait()


@pytest_asyncio.fixture
async def receivers() -> AsyncIterator[Callable[..., Any]]:
    runners: list[web.AppRunner] = []

    async def make(identity: ssl.SSLContext | None = None) -> Receiver:
        receiver = Receiver()
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", receiver.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, HOST, 0, ssl_context=identity).start()
        scheme = "https" if identity else "http"
        receiver.url = f"{scheme}://{HOST}:{runner.addresses[0][1]}/hook"
        return receiver

    yield make
    for runner in runners:
        await runner.cleanup()


@pytest_asyncio.fixture
async def receiver(receivers: Callable[[], Any]) -> Receiver:
    made: Receiver = await receivers()
    return made


@pytest.fixture
def store(keys: Keyring) -> FhirStore:
    store = FhirStore(base=BASE)
    register_guards(store, hosts=",".join(HOSTS), keys=keys)
    return store


@dataclass
class Node:
    db: Database
    store: FhirStore
    url: str
    client: Client

    async def machine(
        self, organisation: str | None = None, scopes: str = "system/*.cruds"
    ) -> Actor:
        """Somebody with a token, whose rights are looked up again at every delivery."""
        async with self.db.transaction() as tx:
            secret = await issue_token(
                tx, parse_scopes(scopes), timedelta(hours=1), organisation=organisation
            )
        found = await token_actor(self.db, secret, utc_now())
        assert found is not None
        assert found.kind is Kind.MACHINE
        return found

    @asynccontextmanager
    async def delivering(
        self, pace: Pace = QUICK, *, authorities: Path | None = None
    ) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(
            delivering.run(
                self.db,
                self.store,
                stop,
                database_url=self.url,
                hosts=frozenset(HOSTS),
                authorities=authorities,
                pace=pace,
            )
        )
        try:
            yield
        finally:
            stop.set()
            await task


@pytest_asyncio.fixture
async def node(db: Database, database_url: str, store: FhirStore, as_actor: Client) -> Node:
    return Node(db, store, database_url, as_actor)


def subscription(criteria: str, endpoint: str, **channel: Any) -> Data:
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "test",
        "criteria": criteria,
        "channel": {
            "type": "rest-hook",
            "endpoint": endpoint,
            "payload": "application/fhir+json",
            **channel,
        },
    }


async def created(client: httpx.AsyncClient, data: Data) -> str:
    answer = await client.post(data["resourceType"], json=data)
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["id"]
    return id


async def status_becomes(client: httpx.AsyncClient, id: str, status: str) -> Data:
    async with asyncio.timeout(15):
        while True:
            found: Data = (await client.get(f"Subscription/{id}")).json()
            if found["status"] == status:
                return found
            await asyncio.sleep(0.02)


def ids(heard: Sequence[Heard]) -> list[str]:
    return [one.path.rpartition("/")[2] for one in heard]
