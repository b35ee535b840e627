"""Signing in: who gets in, who does not, and what guessing costs."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serai.kernel.errors import Conflict, Invalid, NotFound, RateLimited, Unauthenticated
from serai.platform.auth import accounts, sessions, throttle
from serai.platform.auth.accounts import Account
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PASSWORD = "three geese over Qinghai"
HOSPITAL = "10.1.2.3"


async def a_doctor(db: Database, login: str = "county.doctor") -> Account:
    async with db.transaction() as tx:
        return await accounts.create_account(
            tx,
            login=login,
            password=PASSWORD,
            name="Li Na",
            role="doctor",
            organisation="county",
            practitioner="li-na",
            now=NOON,
        )


async def sign_in(
    db: Database,
    password: str = PASSWORD,
    *,
    login: str = "county.doctor",
    address: str = HOSPITAL,
    now: datetime = NOON,
) -> Account:
    return await accounts.authenticate(db, login, password, address=address, now=now)


async def test_a_doctor_signs_in_and_acts_for_her_hospital(db: Database) -> None:
    await a_doctor(db)
    account = await sign_in(db, login="  County.Doctor ")
    actor = account.actor
    assert (actor.organisation, actor.practitioner, actor.role) == ("county", "li-na", "doctor")
    assert actor.may("c", "ServiceRequest")
    assert not actor.may("d", "Patient")
    assert not actor.may("u", "Organization")


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("county.doctor", "three geese over Gansu"),
        ("county.doctor", ""),
        ("nobody.here", PASSWORD),
        ("", PASSWORD),
        ("nul\0byte", PASSWORD),
        ("lone\ud800surrogate", "x\ud800"),
        ("x" * 100_000, "y" * 100_000),
    ],
)
async def test_a_wrong_login_or_password_is_one_refusal(
    db: Database, login: str, password: str
) -> None:
    await a_doctor(db)
    with pytest.raises(Unauthenticated) as refused:
        await sign_in(db, password, login=login)
    assert refused.value.key == "sign-in.refused"


async def test_the_same_keys_open_the_account_on_a_full_width_keyboard(db: Database) -> None:
    await a_doctor(db)
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in PASSWORD)
    assert (await sign_in(db, wide)).login == "county.doctor"


async def test_a_disabled_account_stays_shut(db: Database) -> None:
    account = await a_doctor(db)
    async with db.transaction() as tx:
        secret, _ = await sessions.open_session(tx, account.id, NOON)
    async with db.transaction() as tx:
        await accounts.disable_account(tx, account, NOON)
    with pytest.raises(Unauthenticated):
        await sign_in(db)
    assert await sessions.session_actor(db, secret, NOON) is None


async def test_an_unknown_login_takes_as_long_as_a_wrong_password(db: Database) -> None:
    await a_doctor(db)

    async def cost(login: str) -> float:
        began = time.perf_counter()
        with pytest.raises(Unauthenticated):
            await sign_in(db, "not the password", login=login, address="203.0.113.9")
        return time.perf_counter() - began

    await cost("warm.up")
    known = min([await cost("county.doctor") for _ in range(5)])
    unknown = min([await cost("unknown.one") for _ in range(5)])
    assert 0.5 < known / unknown < 2


async def test_after_ten_wrong_passwords_the_right_one_waits_too(db: Database) -> None:
    await a_doctor(db)
    for _ in range(throttle.TRIES_PER_LOGIN):
        with pytest.raises(Unauthenticated):
            await sign_in(db, "wrong")
    later = NOON + timedelta(minutes=4, milliseconds=500)
    with pytest.raises(RateLimited) as refused:
        await sign_in(db, now=later)
    assert refused.value.details["seconds"] == 11 * 60
    assert await sign_in(db, now=NOON + throttle.WINDOW)


async def test_guesses_at_once_cannot_slip_through_together(db: Database) -> None:
    await a_doctor(db)
    guesses = (sign_in(db, f"guess number {n}", address=f"198.51.100.{n}") for n in range(30))
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds.count(Unauthenticated) == throttle.TRIES_PER_LOGIN
    assert kinds.count(RateLimited) == 30 - throttle.TRIES_PER_LOGIN


async def test_one_address_cannot_try_every_login(db: Database) -> None:
    await a_doctor(db)
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO sign_in_tries VALUES ('address', '2001:db8::/64', %s, %s)",
            (NOON, throttle.TRIES_PER_ADDRESS),
        )
    with pytest.raises(RateLimited):
        await sign_in(db, login="another.one", address="2001:db8::77")
    assert await sign_in(db, address="2001:db8:0:1::77")


async def test_a_busy_hospital_behind_one_address_is_not_locked_out(db: Database) -> None:
    await a_doctor(db)
    for _ in range(throttle.TRIES_PER_LOGIN + 5):
        await sign_in(db)
    async with db.connection() as c:
        rows = await (await c.execute("SELECT kind, tries FROM sign_in_tries")).fetchall()
    assert dict(rows) == {"login": 0, "address": 0}


async def test_old_tries_are_forgotten_when_somebody_signs_in(db: Database) -> None:
    await a_doctor(db)
    with pytest.raises(Unauthenticated):
        await sign_in(db, login="somebody.else", address="203.0.113.9")
    await sign_in(db, now=NOON + throttle.WINDOW)
    async with db.connection() as c:
        rows = await (await c.execute("SELECT kind, tries FROM sign_in_tries")).fetchall()
    assert dict(rows) == {"login": 0, "address": 0}


async def test_a_login_is_taken_once(db: Database) -> None:
    await a_doctor(db)
    with pytest.raises(Conflict):
        await a_doctor(db, "COUNTY.doctor")


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"password": "short"}, "account.password-too-short"),
        ({"password": "a" * 20}, "account.password-too-simple"),
        ({"password": "my county.nurse password"}, "account.password-too-simple"),
        ({"password": "ab cd ef " * 60}, "account.password-too-long"),
        ({"role": "emperor"}, "account.unknown-role"),
        ({"login": "two words"}, "account.login-malformed"),
        ({"name": "  "}, "account.name-missing"),
    ],
)
async def test_an_account_needs_a_good_password_a_role_and_a_name(
    db: Database, changed: dict[str, str], key: str
) -> None:
    wanted: dict[str, Any] = {
        "login": "county.nurse",
        "password": PASSWORD,
        "name": "Wang Fang",
        "role": "desk",
        "organisation": "county",
    }
    async with db.transaction() as tx:
        with pytest.raises(Invalid) as refused:
            await accounts.create_account(tx, **wanted | changed)
    assert refused.value.key == key


async def test_a_new_password_ends_every_session(db: Database) -> None:
    account = await a_doctor(db)
    async with db.transaction() as tx:
        secret, _ = await sessions.open_session(tx, account.id, NOON)
    async with db.transaction() as tx:
        await accounts.change_password(tx, account, "four cranes over Gansu", NOON)
    assert await sessions.session_actor(db, secret, NOON) is None
    assert await sign_in(db, "four cranes over Gansu")
    with pytest.raises(Unauthenticated):
        await sign_in(db, PASSWORD)


async def test_accounts_are_found_by_login(db: Database) -> None:
    account = await a_doctor(db)
    async with db.connection() as c:
        assert await accounts.find_account(c, "County.Doctor") == account
        assert await accounts.list_accounts(c) == [account]
        with pytest.raises(NotFound):
            await accounts.find_account(c, "nobody")


async def test_no_password_is_readable_in_the_database(db: Database) -> None:
    await a_doctor(db)
    async with db.connection() as c:
        row = await (await c.execute("SELECT account::text FROM account")).fetchone()
    assert row
    assert PASSWORD not in row[0]
    assert "$argon2id$" in row[0]
