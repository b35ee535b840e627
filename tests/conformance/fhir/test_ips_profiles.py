"""R4 §5.1: the examples of the International Patient Summary fit its profiles."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.fhir.profiles.package_files import IPS, packed

from serai.fhir import packages
from serai.fhir.profiles import validate
from serai.fhir.store import FhirStore
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform.db import Database


def example(name: str) -> Any:
    return json.loads((IPS / "example" / f"{name}.json").read_text(), parse_float=Decimal)


async def load_ips(db: Database, tmp_path: Path) -> packages.Loaded:
    archive = packed(IPS, tmp_path / "ips.tgz")
    package = packages.read(archive, examples=False)
    return await packages.load(db, FhirStore(), package, actor=serai_itself, now=utc_now())


async def test_the_ips_examples_fit_their_profiles(db: Database, tmp_path: Path) -> None:
    loaded = await load_ips(db, tmp_path)
    assert loaded.written == 70
    assert [name for name, _ in loaded.refused] == ["ImplementationGuide/hl7.fhir.uv.ips"]
    assert (await load_ips(db, tmp_path)).written == 0
    failing: dict[str, list[str]] = {}
    names = sorted(one.stem for one in (IPS / "example").glob("*.json"))
    assert len(names) == 44
    async with db.connection() as connection:
        for name in names:
            issues = await validate(connection, example(name), [])
            errors = [one for one in issues if one.severity == "error"]
            if errors:
                failing[name] = [f"{one.path} {one.key} {one.details}" for one in errors]
    assert failing == {}
