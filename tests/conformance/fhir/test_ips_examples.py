"""R4 §3.1: the IPS examples are created, read and found."""

from __future__ import annotations

import httpx
from tests.conformance.test_hl7_examples import round_trip
from tests.fhir.profiles.package_files import IPS


async def test_ips_examples_come_back_equal_and_are_found(fhir: httpx.AsyncClient) -> None:
    surprises: dict[str, str] = {}
    for path in sorted((IPS / "example").glob("*.json")):
        kind, _, id = path.stem.partition("-")
        outcome = await round_trip(fhir, path.read_bytes())
        if outcome is not None:
            surprises[path.name] = outcome
            continue
        found = await fhir.get(kind, params={"_id": id})
        if [one["resource"]["id"] for one in found.json().get("entry", [])] != [id]:
            surprises[path.name] = "not found by _id"
    assert surprises == {}
