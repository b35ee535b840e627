"""R4 vital signs profiles: HL7's own, held against observations as hospitals send them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fhir.profiles.package_files import packed

from serai.fhir import packages
from serai.fhir.profiles import validate
from serai.fhir.store import FhirStore
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform.db import Database

R4 = Path("node_modules/hl7.fhir.r4.examples")
BP = "http://hl7.org/fhir/StructureDefinition/bp"
LOINC = "http://loinc.org"


def part(code: str, value: int) -> dict[str, Any]:
    unit = {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": unit}


def pressure(**changes: Any) -> dict[str, Any]:
    category = {
        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
        "code": "vital-signs",
    }
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "meta": {"profile": [BP]},
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {"coding": [{"system": LOINC, "code": "85354-9"}]},
        "subject": {"reference": "urn:uuid:7d5d4c5e-0000-4000-8000-000000000000"},
        "effectiveDateTime": "2019-02-03T04:05:06+08:00",
        "component": [part("8462-4", 82), part("8480-6", 121)],
    }
    return {name: one for name, one in (made | changes).items() if one is not None}


async def load_r4(db: Database, tmp_path: Path) -> None:
    wanted = ("package.json", "StructureDefinition-vitalsigns.json", "StructureDefinition-bp.json")
    package = packages.read(packed(R4, tmp_path / "r4.tgz", *wanted), examples=False)
    assert len(package.resources) == 2
    await packages.load(db, FhirStore(), package, actor=serai_itself, now=utc_now())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"effectiveDateTime": None}, {"Observation.effective"}),
        ({"category": None}, {"Observation.category"}),
        ({"component": [part("8480-6", 121)]}, {"Observation.component"}),
        ({"code": {"coding": [{"system": LOINC, "code": "8867-4"}]}}, {"Observation.code.coding"}),
    ],
)
async def test_a_blood_pressure_fits_or_says_what_it_lacks(
    db: Database, tmp_path: Path, changes: dict[str, Any], expected: set[str]
) -> None:
    await load_r4(db, tmp_path)
    async with db.connection() as connection:
        issues = await validate(connection, pressure(**changes), [])
    found = {one.path for one in issues if one.severity == "error"}
    assert expected <= found
    assert bool(expected) == bool(found), [(one.path, one.key) for one in issues]
