"""The CapabilityStatement tells the truth."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
from tests.fhir.resources import as_json, patient

from serai.fhir.definitions import RESOURCE_TYPES, search_parameters
from serai.fhir.search.parsing import parse
from serai.fhir.validation import validate

JSON = {"content-type": "application/fhir+json"}
NOON = datetime(2026, 11, 23, tzinfo=UTC)
SAMPLE = {
    "number": "1",
    "quantity": "1",
    "special": "1|1",
    "token": "a|b",
    "reference": "Patient/1",
    "string": "x",
    "date": "2024",
    "uri": "urn:x",
}


def sample(kind: str, parameter: dict[str, str]) -> str:
    """A value that can be read; a composite's has one for each of its parts."""
    if parameter["type"] != "composite":
        return SAMPLE[parameter["type"]]
    components = search_parameters(kind)[parameter["name"]].components
    return "$".join(SAMPLE[one.type] for one in components)


async def statement(fhir: httpx.AsyncClient) -> dict[str, Any]:
    answer = await fhir.get("metadata")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


async def test_it_is_valid_and_names_every_type(fhir: httpx.AsyncClient) -> None:
    body = await statement(fhir)
    assert validate(body) == []
    assert {one["type"] for one in body["rest"][0]["resource"]} == RESOURCE_TYPES
    assert body["fhirVersion"] == "4.0.1"


async def test_every_advertised_parameter_include_and_reverse_include_is_honoured(
    fhir: httpx.AsyncClient,
) -> None:
    for one in (await statement(fhir))["rest"][0]["resource"]:
        kind = one["type"]
        for parameter in one["searchParam"]:
            query = parse(kind, [(parameter["name"], sample(kind, parameter))], now=NOON)
            assert len(query.conditions) == 1
        for name in ("Include", "RevInclude"):
            for value in one.get(f"search{name}", []):
                assert parse(kind, [(f"_{name.lower()}", value)], now=NOON).includes


async def test_parameters_of_every_kind_run_against_the_database(fhir: httpx.AsyncClient) -> None:
    for one in (await statement(fhir))["rest"][0]["resource"]:
        for parameter in one["searchParam"]:
            if one["type"] not in ("Patient", "Observation", "Task", "ValueSet", "Encounter"):
                continue
            params = {parameter["name"]: sample(one["type"], parameter)}
            answer = await fhir.get(one["type"], params=params)
            assert answer.status_code == 200, (one["type"], parameter["name"], answer.text)


async def test_each_advertised_interaction_answers(fhir: httpx.AsyncClient) -> None:
    rest = (await statement(fhir))["rest"][0]
    one = next(r for r in rest["resource"] if r["type"] == "Patient")
    promised = {i["code"] for i in one["interaction"]} | {i["code"] for i in rest["interaction"]}
    body = as_json(patient(id="p"))
    empty = {"resourceType": "Bundle", "type": "batch"}
    answers = {
        "update": await fhir.put("Patient/p", content=body, headers=JSON),
        "create": await fhir.post("Patient", content=body, headers=JSON),
        "read": await fhir.get("Patient/p"),
        "patch": await fhir.patch(
            "Patient/p", content=b"[]", headers={"content-type": "application/json-patch+json"}
        ),
        "vread": await fhir.get("Patient/p/_history/1"),
        "history-instance": await fhir.get("Patient/p/_history"),
        "history-type": await fhir.get("Patient/_history"),
        "history-system": await fhir.get("_history"),
        "search-type": await fhir.get("Patient"),
        "search-system": await fhir.get("?_type=Patient"),
        "delete": await fhir.delete("Patient/p"),
        "batch": await fhir.post("", content=as_json(empty), headers=JSON),
        "transaction": await fhir.post(
            "", content=as_json(empty | {"type": "transaction"}), headers=JSON
        ),
    }
    assert set(answers) == promised
    assert all(answer.is_success for answer in answers.values())
