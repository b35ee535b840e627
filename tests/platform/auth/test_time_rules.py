"""How long sessions and locks last, against the rule written the plain way, over many courses."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from tests.platform.auth.test_accounts import NOON, a_doctor

from serai.kernel.errors import Invalid, RateLimited
from serai.platform.auth import policy, sessions, throttle
from serai.platform.auth.policy import RolePolicy
from serai.platform.db import Database

COURSES = 40


@pytest.mark.parametrize("seed", range(3))
async def test_a_session_lives_exactly_as_long_as_its_roles_policy_says(
    db: Database, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - the same courses every time
    account = await a_doctor(db)
    for _ in range(COURSES // 3):
        idle = timedelta(minutes=chance.randint(1, 120))
        lifetime = timedelta(minutes=chance.randint(5, 600))
        async with db.transaction() as tx:
            await policy.set_policy(tx, RolePolicy("doctor", idle=idle, lifetime=lifetime))
            secret, opened = await sessions.open_session(tx, account.id, NOON)
        assert opened.ends_at == NOON + lifetime
        now = seen = NOON
        alive = True
        while alive and now < NOON + timedelta(hours=12):
            now += timedelta(seconds=chance.choice([20, 59, 60, 300, 1800, 3600]))
            alive = now < NOON + lifetime and now < seen + idle
            assert bool(await sessions.session_actor(db, secret, now)) is alive
            # Being seen is written down once a minute.
            seen = now if now - seen >= sessions.SEEN_EVERY else seen


class Plain:
    """The brake on one login, said once more without SQL."""

    def __init__(self) -> None:
        self.since: datetime | None = None
        self.tries = self.locks = 0

    def may_try(self, now: datetime) -> bool:
        if self.since is None or self.since <= now - throttle.window(self.locks):
            exhausted = self.tries >= throttle.TRIES_PER_LOGIN
            forgotten = self.since is None or self.since <= now - throttle.REMEMBERED
            self.locks = 0 if forgotten else self.locks + exhausted
            self.since, self.tries = now, 0
        self.tries += 1
        return self.tries <= throttle.TRIES_PER_LOGIN

    def succeed(self) -> None:
        self.tries = self.locks = 0


@pytest.mark.parametrize("seed", range(3))
async def test_a_login_is_locked_ever_longer_until_it_is_opened_rightly(
    db: Database, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - the same courses every time
    for course in range(COURSES // 10):
        plain, now, login = Plain(), NOON, f"login {course}"
        for step in range(80):
            now += timedelta(minutes=chance.choice([0, 0, 0, 1, 16, 70, 60 * 50]))
            tried = throttle.knock(login, f"192.0.2.{step}")
            allowed = plain.may_try(now)
            try:
                await throttle.count_try(db, tried, now)
            except RateLimited:
                assert not allowed
                continue
            assert allowed
            if chance.random() < 0.04:
                async with db.transaction() as tx:
                    await throttle.forgive(tx, tried, now)
                plain.succeed()


async def test_every_lock_lasts_twice_as_long_and_a_day_at_most(db: Database) -> None:
    now = NOON
    waits: list[int] = []
    while len(waits) < 9:
        try:
            await throttle.count_try(db, throttle.knock("county.doctor", ""), now)
        except RateLimited as refused:
            wait = timedelta(seconds=refused.details["seconds"])
            waits.append(wait // timedelta(minutes=1))
            now += wait
            async with db.connection() as c:
                await c.execute("DELETE FROM sign_in_tries WHERE kind = 'address'")
    assert waits == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]


async def test_an_administrator_unlocks_at_once(db: Database) -> None:
    tried = throttle.knock("county.doctor", "")
    for _ in range(throttle.TRIES_PER_LOGIN):
        await throttle.count_try(db, tried, NOON)
    async with db.transaction() as tx:
        locked = await throttle.locked(tx, ["county.doctor", "county.nurse"], NOON)
        assert locked == {"county.doctor": NOON + throttle.WINDOW}
        await throttle.unlock(tx, "county.doctor")
    await throttle.count_try(db, tried, NOON)


async def test_a_policy_lets_nobody_stay_for_a_month(db: Database) -> None:
    async with db.transaction() as tx:
        with pytest.raises(Invalid):
            await policy.set_policy(tx, RolePolicy("doctor", lifetime=timedelta(days=30)))
