"""A small site of a few pages behind the real middleware, with one signed-in doctor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serai.kernel.errors import Conflict
from serai.platform.auth.accounts import create_account
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web.application import page_app
from serai.web.authentication import require_actor, require_staff
from serai.web.forms import parse_form
from serai.web.languages import N_, gettext
from serai.web.navigation import NavItem
from serai.web.rendering import render, see_other

PASSWORD = "caravanserai-demo"
Visit = Callable[[], AsyncClient]


async def show(request: Request) -> Response:
    require_staff(request)
    return render(request, "error.html", title="Ward", text="Round", reference="", code=200)


async def save(request: Request) -> Response:
    form = await parse_form(request)
    return see_other("/ward", flash=form.text("say") or "sign-in.out")


async def word(_request: Request) -> Response:
    return PlainTextResponse(gettext(N_("Sign in")))


async def crash(_request: Request) -> Response:
    raise RuntimeError("patient Li Na is on bed 4")


async def conflict(_request: Request) -> Response:
    raise Conflict("ward.full")


async def engine(request: Request) -> Response:
    return PlainTextResponse(require_actor(request).name)


async def metadata(_request: Request) -> Response:
    return PlainTextResponse("the truth")


ROUTES = [
    Route("/ward", show, methods=["GET"]),
    Route("/ward", save, methods=["POST"]),
    Route("/word", word, methods=["GET"]),
    Route("/crash", crash, methods=["GET"]),
    Route("/conflict", conflict, methods=["GET"]),
    Route("/fhir/metadata", metadata, methods=["GET"]),
    Route("/fhir/Patient", engine, methods=["GET", "POST"]),
    Route("/api/thing", engine, methods=["GET", "POST"]),
]
NAVIGATION = (NavItem("Ward", "/ward", "heart", home_for=frozenset({"doctor"})),)


@pytest.fixture
def site(db: Database) -> Starlette:
    return page_app(ROUTES, navigation=NAVIGATION, db=db, settings=Settings())


@pytest_asyncio.fixture
async def stranger(site: Starlette) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(site, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://serai.test") as client:
        yield client


@pytest_asyncio.fixture
async def doctor(stranger: AsyncClient, db: Database) -> AsyncClient:
    async with db.transaction() as tx:
        await create_account(
            tx,
            login="county.doctor",
            password=PASSWORD,
            name="Li Wei 李伟",
            role="doctor",
            organisation="county",
        )
    answer = await stranger.post("/signin", data={"login": "county.doctor", "password": PASSWORD})
    assert answer.status_code == 303
    return stranger


async def form_secret(client: AsyncClient) -> str:
    """The secret a page of this session carries."""
    page = (await client.get("/ward")).text
    return page.split('name="_csrf" value="')[1].split('"')[0]
