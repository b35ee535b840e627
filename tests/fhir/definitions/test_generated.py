"""The shipped definitions are what the generator makes of HL7's package, nothing else."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "node_modules" / "hl7.fhir.r4.examples"
SHIPPED = ROOT / "src" / "serai" / "fhir" / "definitions" / "r4.json.gz"


@pytest.mark.skipif(not SOURCE.is_dir(), reason="needs `make setup` (node_modules)")
def test_shipped_definitions_are_what_the_generator_makes(tmp_path: Path) -> None:
    target = tmp_path / "r4.json.gz"
    tool = ROOT / "tools" / "make_definitions.py"
    subprocess.run([sys.executable, tool, "--target", target], check=True, capture_output=True)
    assert gzip.decompress(target.read_bytes()) == gzip.decompress(SHIPPED.read_bytes())


def test_shipped_definitions_stay_small() -> None:
    assert SHIPPED.stat().st_size < 500_000
