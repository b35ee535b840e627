"""R4 §3.1.1.4.7: which prefixes select which dates. A stored value, a date asked for, and the
prefixes that must find it; every other prefix must not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest_asyncio
from tests.fhir.resources import Data, observation
from tests.fhir.search.test_search import ids, keep, search

from serai.fhir.search.dates import PREFIXES

# By name, the effective[x] of an Observation.
STORED: dict[str, dict[str, Any]] = {
    "year": {"effectiveDateTime": "2013"},
    "month": {"effectiveDateTime": "2013-01"},
    "day": {"effectiveDateTime": "2013-01-14"},
    "minute": {"effectiveDateTime": "2013-01-14T10:00:00Z"},
    "zoned": {"effectiveDateTime": "2013-01-15T01:00:00+08:00"},
    "instant": {"effectiveInstant": "2013-01-14T10:00:00.500Z"},
    "march": {"effectiveInstant": "2013-03-14T00:00:00Z"},
    "closed": {"effectivePeriod": {"start": "2013-01-21", "end": "2013-01-25"}},
    "around": {"effectivePeriod": {"start": "2013-01-10", "end": "2013-01-20"}},
    "open-end": {"effectivePeriod": {"start": "2013-03-10"}},
    "open-start": {"effectivePeriod": {"end": "2013-03-10"}},
}

IN = {"eq", "ge", "le", "ap"}
AFTER = {"ne", "gt", "ge", "sa"}
BEFORE = {"ne", "lt", "le", "eb"}
ACROSS = {"ne", "gt", "ge", "lt", "le", "ap"}
FROM = {"ne", "gt", "ge", "ap"}
UNTIL = {"ne", "lt", "le", "ap"}

EXPECTED: list[tuple[str, str, set[str]]] = [
    # The examples of the section: 2013-01-14 contains its moments; a day is before its month's end.
    ("minute", "2013-01-14", IN),
    ("instant", "2013-01-14", IN),
    ("zoned", "2013-01-14", IN),
    ("zoned", "2013-01-15T01:00:00%2B08:00", IN),
    ("day", "2013-01-14", IN),
    ("day", "2013-01", IN),
    ("month", "2013-01-14", ACROSS),
    ("year", "2013-01-14", ACROSS),
    ("year", "2013", IN),
    ("year", "2013-01", FROM),
    ("year", "2013-12", UNTIL),
    ("day", "2013-01-14T10:00", ACROSS),
    ("day", "2013-01-14T00:00", FROM),
    ("day", "2013-01-14T23:59", UNTIL),
    ("day", "2013-01-15", BEFORE),
    ("day", "2013-01-13", AFTER),
    ("month", "2013-02", BEFORE),
    ("month", "2012-12-31", AFTER),
    ("minute", "2013-01-14T10:00", IN),
    ("minute", "2013-01-14T10:00:00Z", IN),
    ("minute", "2013-01-14T10:00:01Z", BEFORE),
    ("minute", "2013-01-14T09:59:59Z", AFTER),
    ("instant", "2013-01-14T10:00:00Z", IN),
    ("instant", "2013-01-14T10:00:00.500Z", IN),
    ("instant", "2013-01-14T10:00:00.499Z", AFTER),
    ("march", "2013-03-14", IN),
    ("march", "2013-03-13", AFTER),
    # Periods, whose last day belongs to them.
    ("closed", "2013-01", IN),
    ("closed", "2013-01-20", AFTER),
    ("closed", "2013-01-21", FROM),
    ("closed", "2013-01-23", ACROSS),
    ("closed", "2013-01-25", UNTIL),
    ("closed", "2013-01-26", BEFORE),
    ("around", "2013-01-14", ACROSS),
    ("around", "2013-01-14T10:00:00Z", ACROSS),
    ("around", "2013", IN),
    # A missing start is before any date, a missing end after any.
    ("open-end", "2013-03-14", ACROSS),
    ("open-end", "2013-03", FROM),
    ("open-end", "2013-03-10", FROM),
    ("open-end", "2013-03-09", AFTER),
    ("open-end", "2500", ACROSS),
    ("open-start", "2013-03-14", BEFORE),
    ("open-start", "2013-03-10", UNTIL),
    ("open-start", "2013-03", UNTIL),
    ("open-start", "2013-03-09", ACROSS),
    ("open-start", "1500", ACROSS),
]

# By the birthdate of a Patient, whose type is date.
BORN: list[tuple[str, str, set[str]]] = [
    ("1980", "1980", IN),
    ("1980", "1980-05", ACROSS),
    ("1980-05", "1980", IN),
    ("1980-05-01", "1980-05-01", IN),
    ("1980-05-01", "1980-05-01T12:00", ACROSS),
    ("1980-05-01", "1980-04", AFTER),
    ("1980-05-01", "1980-06", BEFORE),
]


def found_by(expected: set[str], prefix: str) -> bool | None:
    """None where the margin of ap decides."""
    if prefix == "ap" and "ap" not in expected:
        return None
    return prefix in expected


@pytest_asyncio.fixture
async def dated(fhir: httpx.AsyncClient) -> httpx.AsyncClient:
    await keep(fhir, *(_observed(id, value) for id, value in STORED.items()))
    born = {stored for stored, _, _ in BORN}
    await keep(
        fhir,
        *({"resourceType": "Patient", "id": f"born-{one}", "birthDate": one} for one in born),
    )
    return fhir


def _observed(id: str, value: dict[str, Any]) -> Data:
    made = observation(id=id)
    del made["effectiveDateTime"]
    return made | value


async def test_each_prefix_selects_as_the_table_says(dated: httpx.AsyncClient) -> None:
    wrong = []
    for asked in sorted({one for _, one, _ in EXPECTED}):
        for prefix in PREFIXES:
            found = ids(await search(dated, f"Observation?date={prefix}{asked}"))
            wrong += [
                (id, prefix, asked)
                for id, said, expected in EXPECTED
                if said == asked and found_by(expected, prefix) not in (None, id in found)
            ]
    assert wrong == []


async def test_each_prefix_selects_dates_of_birth(dated: httpx.AsyncClient) -> None:
    wrong = []
    for asked in sorted({one for _, one, _ in BORN}):
        for prefix in PREFIXES:
            found = ids(await search(dated, f"Patient?birthdate={prefix}{asked}"))
            wrong += [
                (stored, prefix, asked)
                for stored, said, expected in BORN
                if said == asked
                and found_by(expected, prefix) not in (None, f"born-{stored}" in found)
            ]
    assert wrong == []


async def test_a_date_without_prefix_asks_for_eq(dated: httpx.AsyncClient) -> None:
    plain = ids(await search(dated, "Observation?date=2013-01"))
    assert sorted(plain) == sorted(ids(await search(dated, "Observation?date=eq2013-01")))
    assert "day" in plain


async def test_ap_reaches_a_tenth_of_the_time_since_then(fhir: httpx.AsyncClient) -> None:
    await keep(fhir, *(_observed(f"y{year}", {"effectiveDateTime": str(year)})
                       for year in (1900, 1915, 1930, 1935, 1950)))  # fmt: skip
    found = ids(await search(fhir, "Observation?date=ap1926"))
    assert sorted(found) == ["y1930", "y1935"] or sorted(found) == ["y1915", "y1930", "y1935"]
