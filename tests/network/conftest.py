"""The demonstration network, loaded once for tests that only read it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from serai.fhir.store import FhirStore
from serai.network.loading import load
from serai.platform.db import Database
from serai.platform.postgres import Cluster

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DEMO = Path(__file__).parents[2] / "demo" / "network.yaml"


@pytest.fixture(scope="session")
def network_url(cluster: Cluster) -> Iterator[str]:
    """One database with the demonstration network; these tests only read it."""
    admin_url = cluster.url.replace("/serai?", "/postgres?")
    url = cluster.url.replace("/serai?", "/network_pages?")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE network_pages TEMPLATE serai")
        asyncio.run(_load(url))
        yield url
        admin.execute("DROP DATABASE network_pages WITH (FORCE)")


async def _load(url: str) -> None:
    db = await Database.open(url, max_size=2)
    await load(DEMO, db=db, store=FhirStore(), now=NOW)
    await db.close()
