"""The pool: what a handler meets when the database does not do its part."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from serai.kernel.errors import Unavailable
from serai.platform.db import Database


async def test_a_change_that_fails_halfway_leaves_nothing(db: Database) -> None:
    async def halfway() -> None:
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO demonstration VALUES ('half', now())")
            await tx.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        await halfway()
    async with db.connection() as connection:
        rows = await (await connection.execute("SELECT * FROM demonstration")).fetchall()
    assert rows == []


async def test_a_lost_connection_is_unavailable_and_the_next_request_gets_a_new_one(
    db: Database,
) -> None:
    with pytest.raises(Unavailable, match="unreachable"):
        async with db.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    async with db.connection() as connection:
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def test_a_full_disk_is_said_to_be_full(db: Database) -> None:
    with pytest.raises(Unavailable, match=r"storage\.full"):
        async with db.connection() as connection:
            await connection.execute(
                "DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$"
            )


async def test_a_collision_stays_what_it_is_for_whoever_retries(db: Database) -> None:
    with pytest.raises(psycopg.errors.SerializationFailure):
        async with db.connection() as connection:
            await connection.execute(
                "DO $$ BEGIN RAISE 'again' USING ERRCODE = 'serialization_failure'; END $$"
            )


async def test_more_requests_than_connections_wait_their_turn(database_url: str) -> None:
    db = await Database.open(database_url, max_size=2)

    async def request() -> None:
        async with db.transaction() as tx:
            await tx.execute("SELECT pg_sleep(0.01)")

    await asyncio.wait_for(asyncio.gather(*(request() for _ in range(40))), timeout=20)
    await db.close()
