"""R4 §3.1.0.5.3: HL7's own FHIRPath Patch cases, each made as HL7 made it or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serai.fhir.interaction import fhirpath_patch
from serai.kernel.errors import Invalid

CASES = json.loads(Path(__file__).with_name("hl7_fhirpath_patch.json").read_text())["cases"]


@pytest.mark.parametrize(
    "case", [pytest.param(one, id=f"{at} {one['name']}") for at, one in enumerate(CASES)]
)
def test_hl7s_patch(case: dict[str, Any]) -> None:
    if "output" in case:
        assert fhirpath_patch.apply(case["input"], case["diff"]) == case["output"]
        return
    with pytest.raises(Invalid):
        fhirpath_patch.apply(case["input"], case["diff"])
