"""HL7's own examples conform, but for a short list; what the standard forbids is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.refused_examples import REFUSED

from serai.fhir.validation import validate

EXAMPLES = Path(__file__).resolve().parents[3] / "node_modules" / "hl7.fhir.r4.examples"


def resource_in(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return content


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="needs `make setup` (node_modules)")
def test_every_example_of_hl7_conforms_but_those_listed_with_a_reason() -> None:
    refused = {
        path.name
        for path in EXAMPLES.glob("*.json")
        if path.name != "package.json" and validate(resource_in(path))
    }
    assert refused == REFUSED.keys()
