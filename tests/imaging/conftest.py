from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from tests.imaging.serving import Server, serving

from serai.platform.postgres import Cluster


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """An empty archive of its own for one test."""
    with serving(database_url, tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def own_database(cluster: Cluster) -> Iterator[str]:
    """An empty database for a module whose tests do not disturb each other."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(cluster.url.replace("/serai?", "/postgres?"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE serai STRATEGY file_copy")
        yield cluster.url.replace("/serai?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def shared_server(own_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One archive for such a module."""
    with serving(own_database, tmp_path_factory.mktemp("home")) as started:
        yield started
