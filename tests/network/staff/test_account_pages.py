"""An administrator keeps the accounts of the own organisation, and of no other."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette

from serai.fhir.store import FhirStore
from serai.kernel.clock import utc_now
from serai.network.staff import pages
from serai.platform.auth import sessions, throttle, totp
from serai.platform.auth.accounts import Account, create_account, find_account
from serai.platform.db import Database
from serai.platform.encryption.keyring import Keyring
from serai.platform.settings import Settings
from serai.web.application import page_app

PASSWORD = "caravanserai-demo"
SECRET = re.compile(r'name="_csrf" value="(\w+)"')
LINK = re.compile(r'id="link">http://[^/]+(/link/password/[\w-]+)<')


async def an_account(db: Database, login: str, role: str, organisation: str) -> Account:
    async with db.transaction() as tx:
        return await create_account(
            tx,
            login=login,
            password=PASSWORD,
            name=f"Name of {login}",
            role=role,
            organisation=organisation,
        )


@pytest.fixture
def site(db: Database) -> Starlette:
    return page_app(
        pages.routes(), navigation=pages.NAVIGATION, db=db, fhir=FhirStore(), settings=Settings()
    )


async def signed_in(client: AsyncClient, login: str) -> AsyncClient:
    answer = await client.post("/signin", data={"login": login, "password": PASSWORD})
    assert answer.status_code == 303
    return client


@pytest_asyncio.fixture
async def admin(site: Starlette, db: Database) -> AsyncIterator[AsyncClient]:
    await an_account(db, "county.admin", "admin", "county")
    async with AsyncClient(transport=ASGITransport(site), base_url="http://serai.test") as client:
        yield await signed_in(client, "county.admin")


@pytest_asyncio.fixture
async def doctor(db: Database) -> Account:
    return await an_account(db, "county.doctor", "doctor", "county")


async def send(client: AsyncClient, path: str, **data: str) -> Response:
    found = SECRET.search((await client.get("/account")).text)
    assert found
    return await client.post(path, data={"_csrf": found[1]} | data)


async def test_a_new_colleague_chooses_the_password_with_a_link(
    admin: AsyncClient, db: Database
) -> None:
    answer = await send(admin, "/accounts", login="li.na", name="李娜", role="desk")
    link = LINK.search(answer.text)
    assert link
    assert link[1] not in (await admin.get("/accounts")).text
    assert "no password yet" in (await admin.get("/accounts")).text
    admin.cookies.clear()
    chosen = {"new": "four cranes over Gansu", "repeated": "four cranes over Gansu"}
    assert (await admin.post(link[1], data=chosen)).headers["location"] == "/signin"
    signed = {"login": "li.na", "password": chosen["new"]}
    assert (await admin.post("/signin", data=signed)).status_code == 303
    async with db.connection() as c:
        assert (await find_account(c, "li.na")).organisation == "county"


async def test_a_locked_colleague_is_unlocked_and_told(
    admin: AsyncClient, doctor: Account, db: Database
) -> None:
    for _ in range(throttle.TRIES_PER_LOGIN):
        await throttle.count_try(db, throttle.knock(doctor.login, "192.0.2.1"), utc_now())
    assert "locked" in (await admin.get("/accounts")).text
    assert (await send(admin, f"/accounts/{doctor.id}/unlock")).status_code == 303
    assert "Locked until" not in (await admin.get(f"/accounts/{doctor.id}")).text
    admin.cookies.clear()
    await signed_in(admin, "county.doctor")
    assert "An administrator unlocked the account" in (await admin.get("/account")).text


async def test_lost_devices_are_forgotten_and_sessions_end(
    admin: AsyncClient, doctor: Account, db: Database, keys: Keyring
) -> None:
    async with db.transaction() as tx:
        secret, _ = await sessions.open_session(tx, doctor.id, utc_now())
        await totp.begin(tx, doctor.id, keys=keys, now=utc_now())
        await tx.execute("UPDATE account_totp SET confirmed_at = now()")
    assert (await send(admin, f"/accounts/{doctor.id}/factors")).status_code == 303
    assert await sessions.session_actor(db, secret, utc_now()) is None
    async with db.connection() as c:
        assert await (await c.execute("SELECT count(*) FROM account_totp")).fetchone() == (0,)


async def test_a_closed_account_is_out_at_once_and_a_changed_role_too(
    admin: AsyncClient, doctor: Account, db: Database
) -> None:
    for path, data in (("role", {"role": "desk"}), ("disable", {})):
        async with db.transaction() as tx:
            secret, _ = await sessions.open_session(tx, doctor.id, utc_now())
        assert (await send(admin, f"/accounts/{doctor.id}/{path}", **data)).status_code == 303
        assert await sessions.session_actor(db, secret, utc_now()) is None
    async with db.connection() as c:
        closed = await find_account(c, "county.doctor")
    assert (closed.role, closed.disabled_at is not None) == ("desk", True)
    assert (await send(admin, f"/accounts/{doctor.id}/enable")).status_code == 303
    async with db.connection() as c:
        assert (await find_account(c, "county.doctor")).disabled_at is None


async def test_nobody_closes_or_promotes_oneself(admin: AsyncClient, db: Database) -> None:
    async with db.connection() as c:
        me = await find_account(c, "county.admin")
    for path in ("disable", "role"):
        assert (await send(admin, f"/accounts/{me.id}/{path}", role="doctor")).status_code == 409


@pytest.mark.parametrize("act", sorted(pages.ACTS))
async def test_accounts_of_another_organisation_are_not_there(
    admin: AsyncClient, db: Database, act: str
) -> None:
    theirs = await an_account(db, "lead.doctor", "doctor", "lead")
    assert "lead.doctor" not in (await admin.get("/accounts")).text
    assert (await admin.get(f"/accounts/{theirs.id}")).status_code == 404
    answer = await send(admin, f"/accounts/{theirs.id}/{act}", role="admin")
    assert answer.status_code == 404
    async with db.connection() as c:
        assert await find_account(c, "lead.doctor") == theirs


async def test_a_guest_works_here_in_a_role_but_their_account_stays_their_organisations(
    admin: AsyncClient, db: Database
) -> None:
    theirs = await an_account(db, "lead.expert", "expert", "lead")
    await send(admin, "/accounts/guests", login="lead.expert", role="doctor")
    assert "guest" in (await admin.get("/accounts")).text
    for act in ("link", "factors", "disable", "role"):
        answer = await send(admin, f"/accounts/{theirs.id}/{act}", role="admin")
        assert answer.status_code == 403, act
    assert (await send(admin, f"/accounts/{theirs.id}/send-away")).status_code == 303
    assert (await admin.get(f"/accounts/{theirs.id}")).status_code == 404


async def test_a_doctor_administers_nothing(
    admin: AsyncClient, doctor: Account, db: Database
) -> None:
    admin.cookies.clear()
    await signed_in(admin, "county.doctor")
    assert (await admin.get("/accounts")).status_code == 403
    answer = await send(admin, "/accounts", login="li.na", name="Li", role="admin")
    assert answer.status_code == 403
    for act in pages.ACTS:
        assert (await send(admin, f"/accounts/{doctor.id}/{act}")).status_code == 403


async def test_an_administrators_screen_left_open_changes_no_account(
    admin: AsyncClient, doctor: Account, db: Database
) -> None:
    async with db.connection() as c:
        await c.execute("UPDATE account_session SET proved_at = proved_at - interval '1 hour'")
    answer = await send(admin, f"/accounts/{doctor.id}/link")
    assert answer.headers["location"].startswith("/signin/again")


async def test_every_act_stands_in_the_audit_trail(
    admin: AsyncClient, doctor: Account, db: Database
) -> None:
    for act in ("link", "unlock", "factors", "sessions", "disable", "enable"):
        await send(admin, f"/accounts/{doctor.id}/{act}")
    async with db.connection() as c:
        rows = await c.execute(
            "SELECT act FROM audit_event WHERE resource = %s ORDER BY sequence",
            (f"account/{doctor.id}",),
        )
        assert [act for (act,) in await rows.fetchall()] == [
            "account.link", "account.unlock", "factor.reset", "session.revoke",
            "account.disable", "account.enable",
        ]  # fmt: skip
