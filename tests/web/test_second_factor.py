"""Two factors at the sign-in: the code, used once; the recovery code; the role that needs one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response as Answer
from starlette.routing import Route
from tests.web.conftest import NAVIGATION, PASSWORD, ROUTES

from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account, find_account
from serai.platform.auth.freshness import require_fresh
from serai.platform.auth.places import add_place
from serai.platform.auth.policy import RolePolicy, set_policy
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web.application import page_app
from serai.web.authentication import require_actor
from serai.web.rendering import see_other

CODE = re.compile(r"<li>([a-z2-7-]{19})</li>")


async def operate(request: Request) -> Answer:
    require_fresh(require_actor(request), utc_now())
    return see_other("/ward", flash="sign-in.out")


@pytest.fixture
def site(db: Database, tmp_path: Path) -> Starlette:
    routes = [*ROUTES, Route("/operate", operate, methods=["POST"])]
    return page_app(routes, navigation=NAVIGATION, db=db, settings=Settings(home=tmp_path))


@pytest_asyncio.fixture
async def stranger(site: Starlette) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(site), base_url="http://serai.test") as client:
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
    await sign_in(stranger)
    return stranger


async def sign_in(client: AsyncClient, **more: str) -> Response:
    data = {"login": "county.doctor", "password": PASSWORD} | more
    return await client.post("/signin", data=data)


async def send(client: AsyncClient, path: str, page: str = "/account", **data: str) -> Response:
    """A form sent from a page of this session."""
    shown = (await client.get(page)).text
    secret = shown.split('name="_csrf" value="')[1].split('"')[0]
    return await client.post(
        path, data={"_csrf": secret} | data, headers={"referer": f"http://serai.test{page}"}
    )


async def enrol(client: AsyncClient) -> pyotp.TOTP:
    """Set up an app, confirmed by its present code."""
    await send(client, "/account/factors/totp", "/account/factors")
    page = (await client.get("/account/factors/totp")).text
    assert "data:image/png;base64" in page
    secret = page.split('<p class="mono">')[1].split("</p>")[0].replace(" ", "")
    app = pyotp.TOTP(secret)
    path = "/account/factors/totp/confirm"
    answer = await send(client, path, "/account/factors/totp", code=app.now())
    assert answer.headers["location"] == "/account/factors"
    return app


def coming(app: pyotp.TOTP) -> str:
    """The code after the present one, which clocks may run ahead to."""
    return app.at(utc_now() + timedelta(seconds=30))


async def second(client: AsyncClient, code: str, to: str = "/ward") -> Response:
    return await send(client, "/signin/second", f"/signin/second?next={to}", code=code, next=to)


async def need_two_factors(db: Database) -> None:
    async with db.transaction() as tx:
        await set_policy(tx, RolePolicy("doctor", two_factors=True))


async def forget_proof(db: Database) -> None:
    """As if the person had proved themselves an hour ago."""
    async with db.connection() as c:
        await c.execute("UPDATE account_session SET proved_at = proved_at - interval '1 hour'")


async def test_the_password_alone_opens_nothing_once_an_app_is_set_up(doctor: AsyncClient) -> None:
    app = await enrol(doctor)
    doctor.cookies.clear()
    answer = await sign_in(doctor, next="/ward")
    assert answer.headers["location"] == "/signin/second?next=%2Fward"
    for path in ("/ward", "/account", "/account/factors"):
        assert (await doctor.get(path)).headers["location"].startswith("/signin?next=")
    assert (await doctor.get("/fhir/Patient")).status_code == 401
    assert (await doctor.get("/api/thing")).status_code == 401
    half_way = doctor.cookies["serai_session"]
    answer = await second(doctor, coming(app))
    assert answer.headers["location"] == "/ward"
    assert (await doctor.get("/ward")).status_code == 200
    assert doctor.cookies["serai_session"] != half_way


async def test_a_code_counts_once(doctor: AsyncClient) -> None:
    app = await enrol(doctor)
    code = coming(app)
    doctor.cookies.clear()
    await sign_in(doctor)
    assert (await second(doctor, code)).status_code == 303
    doctor.cookies.clear()
    await sign_in(doctor)
    assert (await second(doctor, code)).status_code == 401
    assert (await doctor.get("/ward")).status_code == 303


async def test_guessing_codes_is_braked(doctor: AsyncClient) -> None:
    app = await enrol(doctor)
    doctor.cookies.clear()
    await sign_in(doctor)
    for _ in range(10):
        assert (await second(doctor, "000000x")).status_code == 401
    answer = await second(doctor, coming(app))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 900


async def test_a_recovery_code_opens_the_account_once(doctor: AsyncClient, db: Database) -> None:
    await enrol(doctor)
    page = await send(doctor, "/account/factors/codes", "/account/factors")
    codes = CODE.findall(page.text)
    assert len(set(codes)) == 10
    async with db.connection() as c:
        kept = await (await c.execute("SELECT r::text FROM account_recovery_code r")).fetchall()
    assert not any(code in row for code in codes for (row,) in kept)
    for expected in (303, 401):
        doctor.cookies.clear()
        await sign_in(doctor)
        assert (await second(doctor, codes[3].upper())).status_code == expected
    doctor.cookies.clear()
    await sign_in(doctor)
    await second(doctor, codes[4])
    assert "A recovery code was used; codes left (8)" in (await doctor.get("/account")).text


async def test_a_role_that_needs_two_factors_can_do_nothing_before_it_has_them(
    doctor: AsyncClient, db: Database
) -> None:
    await need_two_factors(db)
    doctor.cookies.clear()
    assert (await sign_in(doctor, next="/ward")).headers["location"] == "/account/factors"
    for path in ("/ward", "/account", "/account/password"):
        assert (await doctor.get(path)).headers["location"].startswith("/signin?next=")
    assert (await doctor.get("/signin")).headers["location"] == "/account/factors"
    assert (await doctor.get("/fhir/Patient")).status_code == 401
    await enrol(doctor)
    assert (await doctor.get("/ward")).status_code == 200


async def test_a_fresh_proof_is_no_enrolment(doctor: AsyncClient, db: Database) -> None:
    await need_two_factors(db)
    doctor.cookies.clear()
    await sign_in(doctor)
    await forget_proof(db)
    answer = await send(doctor, "/account/factors/totp", "/account/factors")
    assert answer.headers["location"] == "/signin/again?next=%2Faccount%2Ffactors"
    answer = await send(doctor, "/signin/again", "/signin/again", password=PASSWORD)
    assert answer.status_code == 303
    assert (await doctor.get("/ward")).headers["location"].startswith("/signin")
    await enrol(doctor)
    assert (await doctor.get("/ward")).status_code == 200


async def test_a_place_whose_role_needs_two_factors_is_not_reached_with_one(
    doctor: AsyncClient, db: Database
) -> None:
    async with db.transaction() as tx:
        await set_policy(tx, RolePolicy("expert", two_factors=True))
        await add_place(tx, await find_account(tx, "county.doctor"), "lead", "expert")
    await send(doctor, "/account/place", place="lead|expert")
    assert (await doctor.get("/ward")).headers["location"].startswith("/signin")
    assert (await doctor.get("/signin")).headers["location"] == "/account/factors"


async def test_the_last_factor_stays_while_the_role_needs_one(
    doctor: AsyncClient, db: Database
) -> None:
    await enrol(doctor)
    await need_two_factors(db)
    answer = await send(doctor, "/account/factors/totp/remove", "/account/factors")
    assert answer.status_code == 409
    assert "Your role needs a second factor" in answer.text
    assert "set up" in (await doctor.get("/account/factors")).text


async def test_an_act_that_asks_for_it_waits_for_a_fresh_proof(
    doctor: AsyncClient, db: Database
) -> None:
    app = await enrol(doctor)
    assert (await send(doctor, "/operate", "/ward")).headers["location"] == "/ward"
    await forget_proof(db)
    answer = await send(doctor, "/operate", "/ward")
    assert answer.headers["location"] == "/signin/again?next=%2Fward"
    proof = {"code": coming(app), "next": "/ward"}
    answer = await send(doctor, "/signin/again", "/signin/again?next=/ward", **proof)
    assert answer.headers["location"] == "/ward"
    assert (await send(doctor, "/operate", "/ward")).headers["location"] == "/ward"


async def test_without_a_second_factor_the_password_is_the_fresh_proof(
    doctor: AsyncClient, db: Database
) -> None:
    await forget_proof(db)
    for password, status in (("wrong-password", 401), (PASSWORD, 303)):
        answer = await send(doctor, "/signin/again", "/signin/again", password=password)
        assert answer.status_code == status
    assert (await send(doctor, "/operate", "/ward")).headers["location"] == "/ward"


async def test_a_screen_left_open_takes_no_new_factor(doctor: AsyncClient, db: Database) -> None:
    await forget_proof(db)
    answer = await send(doctor, "/account/factors/totp", "/account/factors")
    assert answer.headers["location"] == "/signin/again?next=%2Faccount%2Ffactors"


async def test_the_secret_of_the_app_is_sealed_in_the_database(
    doctor: AsyncClient, db: Database
) -> None:
    app = await enrol(doctor)
    async with db.connection() as c:
        row = await (await c.execute("SELECT sealed FROM account_totp")).fetchone()
    assert row
    assert app.secret.encode() not in bytes(row[0])


async def test_every_step_stands_in_the_audit_trail(doctor: AsyncClient, db: Database) -> None:
    app = await enrol(doctor)
    doctor.cookies.clear()
    await sign_in(doctor)
    await second(doctor, "000000x")
    await second(doctor, coming(app))
    async with db.connection() as c:
        rows = await c.execute("SELECT act, outcome FROM audit_event ORDER BY sequence")
        assert await rows.fetchall() == [
            ("session.open", "success"),
            ("factor.add", "success"),
            ("session.open", "success"),
            ("factor.refuse", "refused"),
            ("session.prove", "success"),
        ]
