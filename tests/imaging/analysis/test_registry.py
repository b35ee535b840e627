"""Analysers of other packages are found by their entry point, and none takes our names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serai.imaging.analysis import registry
from serai.imaging.analysis.registry import MEASURES, OWN, registered

REGISTRATION = """
from dataclasses import replace
from serai.imaging.analysis.registry import OWN
ANALYSER = replace(OWN[0], name="brightness", title="Brightness")
USURPER = replace(OWN[0], title="Not ours")
"""
ENTRY_POINTS = """[serai.analysers]
brightness = an_installed_package:ANALYSER
usurper = an_installed_package:USURPER
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package as pip leaves it."""
    (tmp_path / "an_installed_package.py").write_text(REGISTRATION)
    about = tmp_path / "an_installed_package-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: an-installed-package\nVersion: 1")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._of_packages.cache_clear()
    yield
    registry._of_packages.cache_clear()


@pytest.mark.usefixtures("installed")
def test_an_installed_package_brings_its_analyser(tmp_path: Path) -> None:
    found = {each.name: each for each in registered(tmp_path)}
    assert found["brightness"].title == "Brightness"
    assert found["series-quality"] is OWN[0]


def test_the_fingerprint_is_of_the_code_that_runs() -> None:
    prints = {each.fingerprint for each in OWN}
    assert all(len(each) == 64 for each in prints)
    assert all(each.function.startswith(MEASURES) for each in OWN)
