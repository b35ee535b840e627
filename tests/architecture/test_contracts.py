"""The import contracts hold, and each can fail: a rule never seen to break proves nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

VIOLATIONS = {
    "Rooms import downward only": ("kernel/clock.py", "import serai.platform.settings"),
    "A capability has one shape": (
        "care/consultation/model.py",
        "import serai.care.consultation.actions",
    ),
    "The archive and its protocols know no worklist": (
        "imaging/dicomweb/routes.py",
        "import serai.imaging.ups.states",
    ),
    "What is shown of a study knows nothing of who shows it": (
        "imaging/documents/content.py",
        "import serai.imaging.dicomweb",
    ),
    "Rules and values know no database, HTTP or template": (
        "care/consultation/model.py",
        "import psycopg",
    ),
    "The kernel is standard library only": ("kernel/ids.py", "import orjson"),
}


def lint_imports(house: Path) -> subprocess.CompletedProcess[str]:
    # The copy must win over the installed package.
    environment = {**os.environ, "PYTHONPATH": str(house / "src"), "COLUMNS": "200"}
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(
        command, cwd=house, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copied_house(tmp_path: Path) -> Path:
    shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept(copied_house: Path) -> None:
    result = lint_imports(copied_house)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_planted_violation_breaks_its_contract(copied_house: Path, contract: str) -> None:
    file, line = VIOLATIONS[contract]
    planted = copied_house / "src" / "serai" / file
    planted.write_text(planted.read_text() + f"\n{line}\n")
    result = lint_imports(copied_house)
    assert f"{contract} BROKEN" in result.stdout


def test_a_stray_room_breaks_the_house(copied_house: Path) -> None:
    stray = copied_house / "src" / "serai" / "helpers"
    stray.mkdir()
    (stray / "__init__.py").touch()
    assert lint_imports(copied_house).returncode != 0


def test_no_contract_is_left_unproven() -> None:
    names = {
        line.partition('"')[2].rstrip('"')
        for line in (ROOT / "pyproject.toml").read_text().splitlines()
        if line.startswith('name = "') and "serai" not in line
    }
    assert names == set(VIOLATIONS)
