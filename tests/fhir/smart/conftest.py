"""A county hospital with a doctor, two patients and the whole application; apps knock by HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from tests.fhir.store.test_granted import RECORD

from serai.app import create_app
from serai.fhir import body
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account
from serai.platform.auth.apps import registry
from serai.platform.auth.apps.registry import App, Wanted
from serai.platform.db import Database
from serai.platform.postgres import Cluster
from serai.platform.settings import Settings
from serai.record import fhir_store

PASSWORD = "caravanserai-demo"
HERE = "http://serai.test"
REDIRECT = "https://growth.example/back"
VERIFIER = "a-verifier-of-the-right-length-and-only-of-allowed-letters"
CHALLENGE = (
    urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode("ascii")
)
SCOPES = "launch/patient openid fhirUser profile offline_access patient/*.rs"


@dataclass
class Hospital:
    """The application, its database, and doors into it."""

    app: Starlette
    db: Database
    opened: list[AsyncClient] = field(default_factory=list)

    def client(self, base: str = HERE) -> AsyncClient:
        """A browser, or a program: somebody of their own with cookies of their own."""
        made = AsyncClient(transport=ASGITransport(self.app), base_url=base)
        self.opened.append(made)
        return made

    async def browser(self, login: str = "li") -> AsyncClient:
        client = self.client()
        answer = await client.post("/signin", data={"login": login, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return client

    async def register(self, scopes: str = SCOPES, **more: Any) -> tuple[App, str | None]:
        facts = {"method": "none", "organisation": "county", "redirect_uris": (REDIRECT,)} | more
        async with self.db.transaction() as tx:
            wanted = Wanted(name="Growth charts", scopes=scopes, **facts)
            return await registry.register(tx, wanted, now=utc_now())

    async def acts(self, like: str = "app.%") -> list[str]:
        async with self.db.connection() as c:
            rows = await c.execute(
                "SELECT act FROM audit_event WHERE act LIKE %s ORDER BY sequence", (like,)
            )
            return [row[0] for row in await rows.fetchall()]

    async def sql(self, statement: str, *values: Any) -> None:
        async with self.db.connection() as c:
            await c.execute(statement, values)


@dataclass
class Visit:
    """One app's try to get in, through one person's browser."""

    hospital: Hospital
    app: App
    person: AsyncClient
    secret: str | None = None

    async def authorize(self, scope: str, **more: str | None) -> Response:
        """What the authorization endpoint says to the browser."""
        asked = {
            "response_type": "code",
            "client_id": self.app.id,
            "redirect_uri": REDIRECT,
            "scope": scope,
            "state": "xyz",
            "aud": f"{HERE}/fhir",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        } | more
        params = {name: value for name, value in asked.items() if value is not None}
        return await self.person.get("/oauth/authorize", params=params)

    async def answer(
        self, page: Response, *, patient: str = "na", untick: str = "", say: str = "allow"
    ) -> Response:
        """The person chooses the patient and presses the button."""
        assert page.status_code == 303, page.text
        path = page.headers["location"]
        asked = await self.person.get(path, params={"patient": patient} if patient else None)
        assert asked.status_code == 200, asked.text
        boxes = re.findall(r'name="scope" value="([^"]+)"', asked.text)
        ticked = [one.replace("&amp;", "&") for one in boxes if one != untick]
        csrf = re.search(r'name="_csrf" value="([^"]+)"', asked.text)
        assert csrf
        data = {"_csrf": csrf[1], "answer": say, "scope": ticked, "patient": patient}
        return await self.person.post(path, data=data)

    async def code(self, scope: str = SCOPES, **more: Any) -> str:
        answered = await self.answer(await self.authorize(scope), **more)
        return told(answered)["code"]

    async def token(self, **form: str) -> Response:
        client = self.hospital.client()
        if self.secret is None:
            return await client.post("/oauth/token", data={"client_id": self.app.id} | form)
        return await client.post("/oauth/token", data=form, auth=(self.app.id, self.secret))

    async def redeem(self, code: str = "", **more: str) -> Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        return await self.token(**form | more)

    async def tokens(self, scope: str = SCOPES, **more: Any) -> dict[str, Any]:
        answer = await self.redeem(await self.code(scope, **more))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refresh(self, secret: str, **more: str) -> Response:
        return await self.token(grant_type="refresh_token", refresh_token=secret, **more)

    async def get(self, access: str, path: str) -> Response:
        headers = {"Authorization": f"Bearer {access}"}
        return await self.hospital.client().get(path, headers=headers)


def told(answer: Response) -> dict[str, str]:
    """What the app is told at its address."""
    assert answer.status_code == 303, answer.text
    there = urlsplit(answer.headers["location"])
    assert f"{there.scheme}://{there.netloc}{there.path}" == REDIRECT
    return {name: values[0] for name, values in parse_qs(there.query).items()}


ACCOUNTS = (
    ("li", "doctor", "county", "li"),
    ("wu", "admin", "county", None),
    ("chen", "doctor", "city", "chen"),
)


async def _furnish(url: str) -> None:
    """The record and the people of it."""
    db, store = await Database.open(url, max_size=2), fhir_store(Settings(base_url=HERE))
    async with db.transaction() as tx:
        for one in RECORD:
            await store.update(tx, body.of(one), actor=serai_itself, now=utc_now())
        for login, role, organisation, practitioner in ACCOUNTS:
            await create_account(
                tx, login=login, password=PASSWORD, name=f"Dr {login}", role=role,
                organisation=organisation, practitioner=practitioner,
            )  # fmt: skip

    await db.close()


@pytest.fixture(scope="session")
def furnished(cluster: Cluster) -> str:
    """The name of a database that has the record and its people already."""
    name = "furnished"
    with psycopg.connect(_admin(cluster), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE serai STRATEGY file_copy")
    with ThreadPoolExecutor() as other:
        url = cluster.url.replace("/serai?", f"/{name}?")
        other.submit(lambda: asyncio.run(_furnish(url))).result()
    return name


@pytest.fixture
def database_url(cluster: Cluster, furnished: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(_admin(cluster), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {furnished} STRATEGY file_copy")
        yield cluster.url.replace("/serai?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _admin(cluster: Cluster) -> str:
    return cluster.url.replace("/serai?", "/postgres?")


@asynccontextmanager
async def opened(database_url: str, home: Path, **settings: Any) -> AsyncIterator[Hospital]:
    app = create_app(Settings(home=home, base_url=HERE, **settings), database_url)
    async with app.router.lifespan_context(app):
        hospital = Hospital(app, app.state.db)
        yield hospital
        for one in hospital.opened:
            await one.aclose()


@pytest_asyncio.fixture
async def hospital(database_url: str, tmp_path: Path) -> AsyncIterator[Hospital]:
    async with opened(database_url, tmp_path) as found:
        yield found


@pytest_asyncio.fixture
async def visit(hospital: Hospital) -> Visit:
    """A public app at the doctor's browser."""
    app, _ = await hospital.register()
    return Visit(hospital, app, await hospital.browser())
