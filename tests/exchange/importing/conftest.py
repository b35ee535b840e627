"""A node and a folder for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.exchange.importing.a_node import Node

from serai.platform.db import Database


@pytest.fixture
def node(db: Database, tmp_path: Path) -> Node:
    home = tmp_path / "home"
    home.mkdir()
    return Node(db, home)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "to import"
    folder.mkdir()
    return folder
