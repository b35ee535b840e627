from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from tests.imaging.light.stacks import House, a_ct, a_film, a_radiograph, a_report, house

from serai.platform.postgres import Cluster

SLICES = 300


@pytest.fixture(scope="package")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The application with a CT of 300 small pictures, a film, a radiograph and a report."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(cluster.url.replace("/serai?", "/postgres?"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE serai STRATEGY file_copy")
        url = cluster.url.replace("/serai?", f"/{name}?")
        contents = [*a_ct(SLICES, 64), a_film(), a_radiograph(), a_report()]
        with house(url, tmp_path_factory.mktemp("home"), contents) as started:
            yield started
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
