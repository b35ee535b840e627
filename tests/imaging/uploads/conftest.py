from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from tests.imaging.light.stacks import House, house
from tests.imaging.uploads.tus import Sender

from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token
from serai.platform.db import Database
from serai.platform.postgres import Cluster


@pytest.fixture(scope="package")
def database(cluster: Cluster) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(cluster.url.replace("/serai?", "/postgres?"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE serai STRATEGY file_copy")
        yield cluster.url.replace("/serai?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="package")
def served(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(database, tmp_path_factory.mktemp("home"), []) as started:
        yield started


def token(database: str, organisation: str, scope: str) -> str:
    async def issue() -> str:
        db = await Database.open(database, max_size=1)
        try:
            async with db.transaction() as tx:
                hour = timedelta(hours=1)
                return await issue_token(tx, parse_scopes(scope), hour, organisation=organisation)
        finally:
            await db.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, issue()).result()


@pytest.fixture
def sender(served: House, database: str) -> Callable[..., Sender]:
    def of(organisation: str = "county", scope: str = "system/*.cruds") -> Sender:
        secret = token(database, organisation, scope)
        return Sender(served.address, {"Authorization": f"Bearer {secret}"})

    return of
