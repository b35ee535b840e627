"""A connection whose socket stays watched between statements behaves as any other."""

from __future__ import annotations

import asyncio
import socket

import psycopg
import pytest

from serai.platform.db import Database
from serai.platform.watching import WatchingConnection

SHORT_S = 5.0


async def opened(url: str) -> WatchingConnection:
    return await WatchingConnection.connect(url, autocommit=True)


async def test_whoever_leaves_a_long_statement_frees_the_connection_at_once(
    database_url: str,
) -> None:
    connection = await opened(database_url)
    asking = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, SHORT_S)
    assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
    await connection.close()


async def test_a_connection_that_the_server_ends_while_idle_is_noticed_and_costs_nothing(
    database_url: str,
) -> None:
    idle, other = await opened(database_url), await opened(database_url)
    await idle.execute("SELECT 1")
    await other.execute("SELECT pg_terminate_backend(%s)", [idle.info.backend_pid])
    await asyncio.sleep(0.1)  # its end arrives, and nobody waits for it
    assert idle._watched is None
    with pytest.raises(psycopg.OperationalError):
        await idle.execute("SELECT 1")
    await idle.close()
    await other.close()


async def test_the_number_of_a_closed_socket_can_be_another_connections(
    database_url: str,
) -> None:
    for _ in range(20):
        connection = await opened(database_url)
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        reader, writer = await asyncio.open_connection(sock=_connected_socket())
        writer.write(b"still heard")
        assert await asyncio.wait_for(reader.read(11), SHORT_S) == b"still heard"
        writer.close()
        await connection.close()


def _connected_socket() -> socket.socket:
    """An echo: what is written comes back."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0)

    def echo() -> None:
        asyncio.get_running_loop().remove_reader(theirs)
        theirs.sendall(theirs.recv(100))
        theirs.close()

    asyncio.get_running_loop().add_reader(theirs, echo)
    return ours


async def test_more_than_the_network_takes_at_once_is_sent_and_comes_back(
    database_url: str,
) -> None:
    connection = await opened(database_url)
    text = "雪" * 8_000_000
    found = await (await connection.execute("SELECT %s::text", [text])).fetchone()
    assert found == (text,)
    await connection.close()


async def test_copies_and_pipelines_and_notices_of_others_work_as_ever(
    database_url: str,
) -> None:
    connection, other = await opened(database_url), await opened(database_url)
    await connection.execute("CREATE TEMP TABLE many (n int)")
    async with connection.cursor().copy("COPY many FROM STDIN") as copy:
        for n in range(50_000):
            await copy.write_row((n,))
    async with connection.pipeline():
        cursors = [await connection.execute("SELECT %s::int", [n]) for n in range(100)]
    assert [await cursor.fetchone() for cursor in cursors] == [(n,) for n in range(100)]
    assert await (await connection.execute("SELECT count(*) FROM many")).fetchone() == (50_000,)

    await connection.execute("LISTEN told")
    await other.execute("NOTIFY told, 'now'")
    told = [one.payload async for one in connection.notifies(timeout=SHORT_S, stop_after=1)]
    assert told == ["now"]
    assert await (await connection.execute("SELECT 2")).fetchone() == (2,)
    await connection.close()
    await other.close()


async def test_many_requests_that_leave_early_leave_a_pool_that_works(database_url: str) -> None:
    db = await Database.open(database_url, max_size=3)

    async def request(patience_s: float) -> None:
        async with db.connection() as connection:
            await asyncio.wait_for(connection.execute("SELECT pg_sleep(0.02)"), patience_s)

    some = (request(0.001 * (n % 40)) for n in range(120))
    await asyncio.wait_for(asyncio.gather(*some, return_exceptions=True), 30)
    async with db.connection() as connection:
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
    await db.close()
