"""The application's pages, `/api` and `/fhir` around a test's own records, signed in by session."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.care.hospitals import STAFF

from serai.care.chart import api as chart_api
from serai.care.chart import pages as chart
from serai.care.consultation import api as consultation_api
from serai.care.consultation import pages as consultation
from serai.care.consultation.records import Consultations
from serai.fhir.http import FhirDoor
from serai.imaging.archive import Archive
from serai.platform.auth.accounts import create_account
from serai.platform.blobs import Blobs
from serai.platform.settings import Settings
from serai.web.application import page_app
from serai.web.errors import api_error_handlers

PASSWORD = "caravanserai-demo"


def application(kept: Consultations, home: Path) -> Starlette:
    json_api = FastAPI(exception_handlers=dict(api_error_handlers()))
    for router in (chart_api.router, consultation_api.router):
        json_api.include_router(router)
    app = page_app(
        [
            *chart.routes(),
            *consultation.routes(),
            Mount("/api", app=json_api),
        ],
        navigation=(*consultation.NAVIGATION, *chart.NAVIGATION),
        db=kept.db,
        fhir=kept.fhir,
        archive=Archive(kept.fhir, Blobs(home)),
        settings=Settings(),
    )
    app.add_middleware(FhirDoor)
    json_api.state = app.state
    return app


@dataclass
class Browser:
    """One person's browser; posts with the form secret of their session."""

    client: AsyncClient
    secret: str = ""

    async def get(self, path: str) -> Response:
        return await self.client.get(path)

    async def post(self, path: str, **fields: str | list[str]) -> Response:
        return await self.client.post(path, data={"_csrf": self.secret, **fields})

    async def send(self, method: str, path: str, body: object, **headers: str) -> Response:
        return await self.client.request(
            method, path, json=body, headers={"X-CSRF-Token": self.secret, **headers}
        )


@asynccontextmanager
async def browsers(kept: Consultations, home: Path) -> AsyncIterator[dict[str, Browser]]:
    """A signed-in browser for everybody of the small network, by practitioner id."""
    app = application(kept, home)
    found: dict[str, Browser] = {}
    async with AsyncExitStack() as stack:
        for practitioner in ("dr-county", "desk-lead", "prof-lead", "dr-township"):
            client = AsyncClient(transport=ASGITransport(app), base_url="http://serai.test")
            await stack.enter_async_context(client)
            found[practitioner] = await _signed_in(kept, client, practitioner)
        yield found


async def _signed_in(kept: Consultations, client: AsyncClient, practitioner: str) -> Browser:
    _, organisation, role, name = next(row for row in STAFF if row[0] == practitioner)
    async with kept.db.transaction() as tx:
        await create_account(
            tx,
            login=practitioner,
            password=PASSWORD,
            name=name,
            role=role,
            organisation=organisation,
            practitioner=practitioner,
        )
    answer = await client.post("/signin", data={"login": practitioner, "password": PASSWORD})
    assert answer.status_code == 303
    page = (await client.get("/consultations")).text
    secret = re.search(r'name="csrf" content="([^"]+)"', page)
    assert secret
    return Browser(client, secret.group(1))
