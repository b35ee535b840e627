"""A session lives while it is used, for one shift at most, and ends when told to."""

from __future__ import annotations

from datetime import timedelta

from tests.platform.auth.test_accounts import NOON, a_doctor

from serai.platform.auth import accounts, sessions
from serai.platform.db import Database


async def a_session(db: Database) -> str:
    account = await a_doctor(db)
    async with db.transaction() as tx:
        secret, _ = await sessions.open_session(tx, account.id, NOON)
    return secret


async def test_a_session_knows_who_acts_and_in_which_language(db: Database) -> None:
    secret = await a_session(db)
    session = await sessions.session_actor(db, secret, NOON)
    assert session
    assert session.actor.organisation == "county"
    async with db.transaction() as tx:
        await accounts.set_language(tx, session.account.id, "zh")
    session = await sessions.session_actor(db, secret, NOON)
    assert session
    assert session.language == "zh"


async def test_the_form_secret_belongs_to_one_session(db: Database) -> None:
    account = await a_doctor(db)
    async with db.transaction() as tx:
        first, opened = await sessions.open_session(tx, account.id, NOON)
        second, other = await sessions.open_session(tx, account.id, NOON)
    found = await sessions.session_actor(db, first, NOON)
    assert found == opened
    assert first != second
    assert opened.csrf != other.csrf
    assert opened.csrf not in first


async def test_a_used_session_lasts_a_shift_and_no_longer(db: Database) -> None:
    secret = await a_session(db)
    now = NOON
    while now < NOON + sessions.LIFETIME:
        assert await sessions.session_actor(db, secret, now), now
        now += timedelta(minutes=20)
    assert await sessions.session_actor(db, secret, NOON + sessions.LIFETIME) is None


async def test_an_idle_session_ends(db: Database) -> None:
    secret = await a_session(db)
    assert await sessions.session_actor(db, secret, NOON + timedelta(minutes=29))
    assert await sessions.session_actor(db, secret, NOON + timedelta(minutes=58))
    assert await sessions.session_actor(db, secret, NOON + timedelta(minutes=88)) is None


async def test_signing_out_ends_the_session_at_once(db: Database) -> None:
    secret = await a_session(db)
    async with db.transaction() as tx:
        await sessions.close_session(tx, secret, NOON)
    assert await sessions.session_actor(db, secret, NOON) is None


async def test_a_made_up_secret_opens_nothing(db: Database) -> None:
    await a_session(db)
    for secret in ("", "x", "x" * 43, "ü\0\ud800"):
        assert await sessions.session_actor(db, secret, NOON) is None


async def test_the_table_holds_nothing_that_opens_a_session(db: Database) -> None:
    secret = await a_session(db)
    async with db.connection() as c:
        row = await (await c.execute("SELECT s::text FROM account_session s")).fetchone()
    assert row
    assert secret not in row[0]
    assert await sessions.session_actor(db, row[0], NOON) is None


async def test_sessions_of_past_shifts_are_removed_at_the_next_sign_in(db: Database) -> None:
    account = await a_doctor(db)
    for days in range(3):
        async with db.transaction() as tx:
            await sessions.open_session(tx, account.id, NOON + timedelta(days=days))
    async with db.connection() as c:
        rows = await c.execute("SELECT count(*) FROM account_session")
        assert await rows.fetchone() == (1,)
