"""$diff between versions and between resources."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.fhir.resources import as_json, patient

from serai.fhir.operations.diff import changes
from serai.fhir.validation import validate

JSON = {"content-type": "application/fhir+json"}
CASES: list[tuple[Any, Any, list[tuple[str, str]]]] = [
    ({"a": 1}, {"a": 1}, []),
    ({"a": 1}, {"a": 2}, [("replace", "X.a")]),
    ({"a": 1}, {}, [("delete", "X.a")]),
    ({}, {"a": {"b": 1}}, [("insert", "X.a")]),
    ({"a": [1, 2, 3]}, {"a": [1]}, [("delete", "X.a[2]"), ("delete", "X.a[1]")]),
    ({"a": [{"b": 1}]}, {"a": [{"b": 2}, {"c": 1}]}, [("replace", "X.a[0].b"),
                                                     ("insert", "X.a[1]")]),
    ({"a": True}, {"a": 1}, [("replace", "X.a")]),
]  # fmt: skip


def named(operations: list[Any]) -> list[tuple[str, str]]:
    return [(one["part"][0]["valueCode"], one["part"][1]["valueString"]) for one in operations]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_each_change_has_its_operation(old: Any, new: Any, expected: list[tuple[str, str]]) -> None:
    assert named(list(changes(old, new, "X"))) == expected


async def test_versions_and_resources_are_compared(fhir: httpx.AsyncClient) -> None:
    for one in (patient("Li", id="p"), patient("Wang", id="p"), patient("Wang", id="q")):
        await fhir.put(f"Patient/{one['id']}", content=as_json(one), headers=JSON)
    found = (await fhir.get("Patient/p/$diff")).json()
    assert validate(found) == []
    assert named(found["parameter"]) == [("replace", "Patient.name[0].family")]
    same = await fhir.get("Patient/$diff?from=Patient/p&to=Patient/q")
    assert same.json().get("parameter", []) == []
    assert (await fhir.get("Patient/p/$diff?fromVersion=9")).status_code == 404
    assert (await fhir.get("Patient/$diff?from=Patient/p&to=Observation/q")).status_code == 400
