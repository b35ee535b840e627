"""Token modifiers that ask a terminology: it is asked once, and the index answers."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest
from tests.fhir.resources import as_json, observation

from serai.fhir.store import FhirStore
from serai.platform.db import Connection

JSON = {"content-type": "application/fhir+json"}
LOINC = "http://loinc.org"


async def vocabulary(_: Connection, relation: str, value: str) -> Sequence[tuple[str, str]]:
    """Two vital signs, whose parent is a panel."""
    known = {
        ("in", "http://x.test/vitals"): [(LOINC, "8867-4"), (LOINC, "8480-6")],
        ("below", f"{LOINC}|85353-1"): [(LOINC, "85353-1"), (LOINC, "8867-4")],
        ("above", f"{LOINC}|8867-4"): [(LOINC, "8867-4"), (LOINC, "85353-1")],
        ("in", "http://x.test/endless"): [(LOINC, str(number)) for number in range(10_001)],
    }
    return known.get((relation, value), [])


@pytest.fixture
async def ward(fhir: httpx.AsyncClient, store: FhirStore) -> httpx.AsyncClient:
    store.expand = vocabulary
    for id, code in (("o1", "8867-4"), ("o2", "8480-6"), ("o3", "2339-0"), ("o4", "85353-1")):
        made = as_json(observation(id=id, code=code))
        await fhir.put(f"Observation/{id}", content=made, headers=JSON)
    return fhir


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("code:in=http://x.test/vitals", ["o1", "o2"]),
        ("code:not-in=http://x.test/vitals", ["o3", "o4"]),
        (f"code:below={LOINC}|85353-1", ["o1", "o4"]),
        (f"code:above={LOINC}|8867-4", ["o1", "o4"]),
        ("code:in=http://x.test/empty", []),
        ("code:not-in=http://x.test/empty", ["o1", "o2", "o3", "o4"]),
    ],
)
async def test_codes_of_a_value_set_or_hierarchy_are_found(
    ward: httpx.AsyncClient, query: str, expected: list[str]
) -> None:
    answer = await ward.get(f"Observation?{query}")
    assert answer.status_code == 200, answer.text
    assert sorted(e["resource"]["id"] for e in answer.json().get("entry", [])) == expected


async def test_a_value_set_without_end_is_refused(ward: httpx.AsyncClient) -> None:
    answer = await ward.get("Observation?code:in=http://x.test/endless")
    assert answer.status_code in (400, 413), answer.text
    assert "10000" in answer.text
