"""Real PostgreSQL for every test: one embedded cluster per run, one fresh database per test module
that asks for it, cloned from a migrated template."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from serai.platform.db import Database
from serai.platform.encryption.keyring import Keyring
from serai.platform.migrate import migrate
from serai.platform.postgres import Cluster
from serai.platform.settings import Settings


def pytest_configure() -> None:
    """Processes that share the tests between them must name them alike, whose names have sets."""
    os.environ.setdefault("PYTHONHASHSEED", "0")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The run's own PostgreSQL, with fsync off: a test run has nothing to keep."""
    with (
        tempfile.TemporaryDirectory(prefix="serai-test-") as folder,
        Cluster(Path(folder)) as started,
    ):
        with psycopg.connect(started.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        migrate(started.url)
        yield started


@pytest.fixture
def database_url(cluster: Cluster) -> Iterator[str]:
    """A migrated, empty database of its own for one test."""
    name = f"test_{uuid4().hex}"
    admin_url = cluster.url.replace("/serai?", "/postgres?")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE serai STRATEGY file_copy")
        yield cluster.url.replace("/serai?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, max_size=5)
    yield database
    await database.close()


@pytest.fixture
def keys(database_url: str, tmp_path: Path) -> Keyring:
    """The keys of this test's database, under a master key of its own."""
    return Keyring.of(Settings(home=tmp_path, database_url=database_url))
