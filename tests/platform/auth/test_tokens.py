"""Machine tokens: what they may, how long, and what is kept of them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import UTC, datetime, timedelta

import pytest

from serai.kernel.errors import Invalid, Malformed
from serai.platform.auth import tokens
from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token, parse_ttl, revoke_token, token_actor
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def a_token(
    db: Database, scope: str = "system/*.cruds", organisation: str | None = None
) -> str:
    async with db.transaction() as tx:
        return await issue_token(
            tx, parse_scopes(scope), HOUR, organisation=organisation, name="script", now=NOON
        )


async def test_a_token_carries_its_scopes_and_organisation(db: Database) -> None:
    secret = await a_token(db, "system/Patient.rs system/Observation.cu", organisation="county")
    actor = await token_actor(db, secret, NOON)
    assert actor
    assert (actor.organisation, actor.name, actor.system_wide) == ("county", "script", False)
    assert actor.may("s", "Patient")
    assert actor.may("c", "Observation")
    assert not actor.may("c", "Patient")
    assert not actor.may("r", "Condition")


async def test_a_token_without_organisation_is_system_wide(db: Database) -> None:
    actor = await token_actor(db, await a_token(db), NOON)
    assert actor
    assert actor.system_wide


async def test_a_token_expires_on_the_second(db: Database) -> None:
    secret = await a_token(db)
    last = NOON + HOUR - timedelta(milliseconds=1)
    assert await token_actor(db, secret, last)
    assert await token_actor(db, secret, NOON + HOUR) is None


async def test_a_revoked_token_is_refused_here_at_once(db: Database) -> None:
    secret = await a_token(db)
    assert await token_actor(db, secret, NOON)
    async with db.transaction() as tx:
        await revoke_token(tx, secret, NOON)
    assert await token_actor(db, secret, NOON) is None


async def test_a_token_revoked_elsewhere_is_refused_within_five_seconds(db: Database) -> None:
    secret = await a_token(db)
    assert await token_actor(db, secret, NOON)
    async with db.transaction() as tx:
        await tx.execute("UPDATE access_token SET revoked_at = %s", (NOON,))
    assert await token_actor(db, secret, NOON + timedelta(seconds=5)) is None


async def test_a_busy_machine_costs_no_query_per_request(db: Database) -> None:
    secret = await a_token(db)
    first = await token_actor(db, secret, NOON)
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM access_token")
    assert await token_actor(db, secret, NOON + timedelta(seconds=4)) is first


async def test_the_memory_of_tokens_is_bounded(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_REMEMBERED", 3)
    monkeypatch.setattr(tokens, "_remembered", OrderedDict())
    for _ in range(5):
        assert await token_actor(db, await a_token(db), NOON)
    assert len(tokens._remembered) == 3


async def test_only_the_hash_of_a_token_is_kept(db: Database) -> None:
    secret = await a_token(db)
    async with db.connection() as c:
        row = await (
            await c.execute("SELECT t::text, secret_sha256 FROM access_token t")
        ).fetchone()
    assert row
    assert secret not in row[0]
    assert row[1] == hashlib.sha256(secret.encode()).digest()


async def test_guessed_tokens_open_nothing(db: Database) -> None:
    await a_token(db)
    for secret in ("", "Bearer", "x" * 43, "\0", "\ud800"):
        assert await token_actor(db, secret, NOON) is None


async def test_patient_scopes_need_a_patient_and_tokens_an_end(db: Database) -> None:
    async with db.transaction() as tx:
        with pytest.raises(Invalid, match="patient-scope"):
            await issue_token(tx, parse_scopes("patient/*.rs"), HOUR)
        for ttl in (timedelta(0), -HOUR, timedelta(days=400)):
            with pytest.raises(Invalid, match="ttl"):
                await issue_token(tx, parse_scopes("system/*.rs"), ttl)


def test_a_lifetime_is_written_as_number_and_unit() -> None:
    assert parse_ttl("90s") == timedelta(seconds=90)
    assert parse_ttl("30m") == timedelta(minutes=30)
    assert parse_ttl("1h") == HOUR
    assert parse_ttl("7d") == timedelta(days=7)
    for nonsense in ("", "1", "h", "1h30m", "-1h", "1.5h", "1 h", "1H", "٣h", "9999999d"):
        with pytest.raises(Malformed):
            parse_ttl(nonsense)
