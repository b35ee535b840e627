from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.care.sharing.serving import House, house, pictures


@pytest.fixture
def county(database_url: str, tmp_path: Path) -> Iterator[House]:
    """A house whose county hospital has two studies."""
    with house(database_url, tmp_path) as opened:
        opened.store(*pictures())
        yield opened
