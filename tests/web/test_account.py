"""One's own account: where one is signed in, the password, the places where one works."""

from __future__ import annotations

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from tests.web.conftest import PASSWORD, form_secret

from serai.kernel.clock import utc_now
from serai.platform.auth import links
from serai.platform.auth.accounts import find_account
from serai.platform.auth.places import add_place, leave_place
from serai.platform.auth.sessions import session_actor
from serai.platform.db import Database

NEW = "four cranes over Gansu"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def another_device(site: Starlette) -> AsyncClient:
    transport = ASGITransport(site, client=("192.0.2.7", 1))
    client = AsyncClient(transport=transport, base_url="http://serai.test")
    signed = {"login": "county.doctor", "password": PASSWORD}
    await client.post("/signin", data=signed, headers={"User-Agent": FIREFOX})
    return client


async def send(client: AsyncClient, path: str, **data: str) -> str:
    answer = await client.post(path, data={"_csrf": await form_secret(client)} | data)
    return f"{answer.status_code} {answer.headers.get('location', '')} {answer.text}"


async def test_each_session_is_listed_and_can_be_ended(
    doctor: AsyncClient, site: Starlette
) -> None:
    other = await another_device(site)
    page = (await doctor.get("/account")).text
    assert "Firefox, Linux" in page
    assert "192.0.2.7" in page
    session = page.split('name="session" value="')[1].split('"')[0]
    assert (await other.get("/ward")).status_code == 200
    assert (await send(doctor, "/account/sessions/close", session=session)).startswith("303")
    assert (await other.get("/ward")).status_code == 303
    assert (await doctor.get("/ward")).status_code == 200
    await other.aclose()


async def test_nobody_ends_the_session_of_another(doctor: AsyncClient, db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO account SELECT 'other', 'other', name, password_hash, role, organisation,"
            " practitioner, language, created_at FROM account"
        )
        await tx.execute(
            "INSERT INTO account_session (secret_sha256, account, opened_at, seen_at, id)"
            " VALUES ('x', 'other', now(), now(), 'theirs')"
        )
    assert (await send(doctor, "/account/sessions/close", session="theirs")).startswith("404")
    async with db.connection() as c:
        rows = await c.execute("SELECT closed_at FROM account_session WHERE id = 'theirs'")
        assert await rows.fetchone() == (None,)


async def test_all_others_end_at_once(doctor: AsyncClient, site: Starlette) -> None:
    others = [await another_device(site) for _ in range(2)]
    await send(doctor, "/account/sessions/close-others")
    assert [(await other.get("/ward")).status_code for other in others] == [303, 303]
    assert (await doctor.get("/ward")).status_code == 200
    for other in others:
        await other.aclose()


async def test_a_new_password_signs_out_everywhere(doctor: AsyncClient, site: Starlette) -> None:
    other = await another_device(site)
    changed = {"password": PASSWORD, "new": NEW, "repeated": NEW}
    assert "303 /signin" in await send(doctor, "/account/password", **changed)
    assert (await other.get("/ward")).status_code == 303
    signed = await doctor.post("/signin", data={"login": "county.doctor", "password": NEW})
    assert signed.headers["location"] == "/"
    assert "The password was changed" in (await doctor.get("/account")).text
    await other.aclose()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "wrong-password"}, "This is not your password."),
        ({"repeated": "another one here"}, "The two passwords differ."),
        ({"new": "short", "repeated": "short"}, "at least 12 characters"),
        ({"new": "P@ssw0rd2026!", "repeated": "P@ssw0rd2026!"}, "Many people use this"),
        ({"new": ""}, "Please fill this in."),
    ],
)
async def test_a_password_that_will_not_do_is_refused_with_the_reason(
    doctor: AsyncClient, changed: dict[str, str], said: str
) -> None:
    wanted = {"password": PASSWORD, "new": NEW, "repeated": NEW} | changed
    answer = await send(doctor, "/account/password", **wanted)
    assert answer.startswith("422")
    assert said in answer
    assert (await doctor.get("/ward")).status_code == 200


async def test_a_link_sets_the_password_once(doctor: AsyncClient, db: Database) -> None:
    async with db.transaction() as tx:
        account = await find_account(tx, "county.doctor")
        first = await links.issue(tx, account.id, utc_now())
        secret = await links.issue(tx, account.id, utc_now())
    doctor.cookies.clear()
    assert (await doctor.get(f"/link/password/{first}")).status_code == 404
    assert "county.doctor" in (await doctor.get(f"/link/password/{secret}")).text
    wanted = {"new": NEW, "repeated": NEW}
    used = await doctor.post(f"/link/password/{secret}", data=wanted)
    assert used.headers["location"] == "/signin"
    assert (await doctor.post(f"/link/password/{secret}", data=wanted)).status_code == 404
    signed = await doctor.post("/signin", data={"login": "county.doctor", "password": NEW})
    assert signed.status_code == 303


async def test_wrong_tries_of_somebody_else_are_told_at_the_next_sign_in(
    doctor: AsyncClient,
) -> None:
    doctor.cookies.clear()
    for _ in range(4):
        await doctor.post("/signin", data={"login": "county.doctor", "password": "wrong-password"})
    signed = {"login": "county.doctor", "password": PASSWORD, "next": "/ward"}
    await doctor.post("/signin", data=signed)
    assert "There is news about your account" in (await doctor.get("/ward")).text
    first, second = [(await doctor.get("/account")).text for _ in range(2)]
    assert "Wrong attempts to sign in before you did (4)" in first
    assert "There is news about your account" in first
    assert "There is news about your account" not in second


async def test_one_person_works_at_two_places_in_two_roles(
    doctor: AsyncClient, db: Database
) -> None:
    async with db.transaction() as tx:
        account = await find_account(tx, "county.doctor")
        await add_place(tx, account, "lead", "expert")
    assert (await send(doctor, "/account/place", place="lead|expert")).startswith("303")
    session = await session_actor(db, doctor.cookies["serai_session"], utc_now())
    assert session
    assert (session.actor.organisation, session.actor.role) == ("lead", "expert")
    assert not session.actor.may("c", "Patient")
    assert (await send(doctor, "/account/place", place="lead|admin")).startswith("422")
    async with db.connection() as c:
        lines = await c.execute("SELECT act, resource FROM audit_event WHERE act = 'session.place'")
        assert await lines.fetchall() == [("session.place", "place/lead|expert")]
    async with db.transaction() as tx:
        await leave_place(tx, account.id, "lead", "expert")
    assert (await doctor.get("/ward")).status_code == 303
