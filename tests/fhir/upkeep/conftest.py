"""The administrators of two hospitals, their pages, and a program that each lets be told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from tests.fhir.subscriptions.conftest import HOST, subscription

from serai.fhir import body, upkeep
from serai.fhir.store import FhirStore
from serai.fhir.subscriptions.guarding import register_guards
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.platform import jobs
from serai.platform.auth.accounts import create_account
from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token, token_actor
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web.application import page_app

PASSWORD = "caravanserai-demo"


@dataclass
class House:
    """What happened at the hospitals before anybody looks."""

    db: Database
    store: FhirStore
    app: Starlette

    async def program(self, organisation: str) -> Actor:
        async with self.db.transaction() as tx:
            scopes = parse_scopes("system/*.cruds")
            secret = await issue_token(tx, scopes, timedelta(hours=1), organisation=organisation)
        found = await token_actor(self.db, secret, utc_now())
        assert found is not None
        return found

    async def subscribed(self, actor: Actor, reason: str, *, dead: int = 0) -> str:
        """A subscription with dead letters, as the deliverer leaves them."""
        asked = subscription("Observation", f"http://{HOST}:1/hook?key=secret")
        async with self.db.transaction() as tx:
            made = await self.store.create(
                tx, body.of(asked | {"reason": reason}), actor=actor, now=utc_now()
            )
            for number in range(1, dead + 1):
                await tx.execute(
                    "INSERT INTO subscription_delivery (subscription, number, type, id, version,"
                    " deleted, at, state, tries, reason)"
                    " VALUES (%s, %s, 'Observation', %s, 1, false, now(), 'dead', 20, 'HTTP 500')",
                    (made.id, number, f"value-{number}"),
                )
            await tx.execute(
                "UPDATE subscription SET last_number = %s WHERE id = %s", (dead, made.id)
            )
        return made.id

    async def job(
        self, actor: Actor, status: str, *, error: str | None = None, queued: bool = False
    ) -> str:
        async with self.db.transaction() as tx:
            id = await jobs.ask(tx, "export", {"request": "x"}, actor=actor, now=utc_now())
            await tx.execute(
                "UPDATE fhir_job SET status = %s, error = %s, done = 40, total = 100 WHERE id = %s",
                (status, error, id),
            )
            if not queued:
                # Whoever ran it took it out of the queue.
                await tx.execute("DELETE FROM procrastinate_jobs WHERE args ->> 'job' = %s", (id,))
        return id


@dataclass
class Desk:
    """A signed-in browser without a screen."""

    client: AsyncClient

    async def get(self, path: str) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.status_code
        return answer.text

    async def post(self, path: str, **fields: str) -> Response:
        page = await self.get("/upkeep")
        secret = re.search(r'name="csrf" content="([^"]+)"', page)
        assert secret
        return await self.client.post(path, data={"_csrf": secret.group(1), **fields})


def application(db: Database, home: Path) -> tuple[Starlette, FhirStore]:
    store = FhirStore(base="http://serai.test/fhir")
    register_guards(store, hosts=HOST)
    settings = Settings(home=home)
    app = page_app(
        upkeep.routes(),
        navigation=upkeep.NAVIGATION,
        db=db,
        fhir=store,
        blobs=Blobs.at(settings),
        settings=settings,
    )
    return app, store


@pytest_asyncio.fixture
async def house(db: Database, tmp_path: Path) -> House:
    app, store = application(db, tmp_path)
    return House(db, store, app)


SignIn = Callable[..., Awaitable[Desk]]


@pytest_asyncio.fixture
async def sign_in(house: House) -> AsyncIterator[SignIn]:
    opened: list[AsyncClient] = []

    async def signed(organisation: str, role: str = "admin") -> Desk:
        login = f"{organisation}.{role}"
        async with house.db.transaction() as tx:
            await create_account(
                tx,
                login=login,
                password=PASSWORD,
                name=login,
                role=role,
                organisation=organisation,
            )
        client = AsyncClient(transport=ASGITransport(house.app), base_url="http://serai.test")
        opened.append(client)
        answer = await client.post("/signin", data={"login": login, "password": PASSWORD})
        assert answer.status_code == 303
        return Desk(client)

    yield signed
    for one in opened:
        await one.aclose()
