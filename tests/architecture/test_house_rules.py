"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "serai"
LONGEST_MODULE = 400
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "service", "misc"}


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py"))


def test_no_module_is_longer_than_400_lines() -> None:
    places = [*modules(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in places}
    assert {path: count for path, count in lengths.items() if count > LONGEST_MODULE} == {}


def test_no_module_hides_behind_a_vague_name() -> None:
    assert [path for path in modules() if path.stem in FORBIDDEN_NAMES] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path.relative_to(SOURCE)
        for path in modules()
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


@pytest.mark.parametrize(
    "capability",
    [
        "serai.care.chart",
        "serai.care.consultation",
        "serai.care.sharing",
        "serai.deidentify.projects",
        "serai.fhir.upkeep",
    ],
)
def test_capabilities_are_entered_by_their_front_doors(capability: str) -> None:
    graph = grimp.build_graph("serai", cache_dir=None)
    inside = {capability, *graph.find_descendants(capability)}
    # Its web has doors of its own, so that a process without pages does not load it.
    doors = {capability, f"{capability}.api", f"{capability}.pages"}
    side_doors = {
        (importer, module)
        for module in inside - doors
        for importer in graph.find_modules_that_directly_import(module)
        if importer not in inside
    }
    assert side_doors == set()


def rooms() -> list[str]:
    return sorted(
        f"{path.parent.relative_to(SOURCE).as_posix()}/"
        for path in SOURCE.rglob("__init__.py")
        if path.parent != SOURCE and len(path.relative_to(SOURCE).parts) <= 3
    )


@pytest.mark.parametrize("room", rooms())
def test_the_architecture_page_names_every_room(room: str) -> None:
    assert room.split("/")[-2] + "/" in (ROOT / "ARCHITECTURE.md").read_text()


def test_decisions_are_numbered_once_and_say_their_status() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    numbers = [path.name[:4] for path in records]
    assert numbers == [f"{n:04d}" for n in range(1, len(records) + 1)]
    for path in records:
        assert re.search(
            r"^Status: (Proposed|Accepted|Superseded by \d{4})$", path.read_text(), re.M
        )


def test_every_setting_is_documented() -> None:
    from serai.platform.settings import Settings

    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert [name for name in Settings.model_fields if f"SERAI_{name.upper()}" not in page] == []


def test_the_project_stands_alone() -> None:
    """Nothing refers to folders outside the repository."""
    places = [
        ROOT / "README.md",
        ROOT / "Makefile",
        *SOURCE.rglob("*.py"),
        *ROOT.glob("docs/**/*.md"),
    ]
    assert [path for path in places if "/shared/" in path.read_text()] == []
