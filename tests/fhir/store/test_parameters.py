"""SearchParameters kept here are searchable, as long as they are active."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.fhir.conftest import BASE
from tests.fhir.resources import Data, as_json, patient
from tests.fhir.search.test_search import ids, search

from serai.fhir.search import own
from serai.fhir.store.parameters import Watch
from serai.fhir.store.reindexing import reindex_after
from serai.platform.db import Database

JSON = {"content-type": "application/fhir+json"}
BLOOD = "http://serai.test/blood-group"


def parameter(**more: Any) -> Data:
    return {
        "resourceType": "SearchParameter",
        "id": "own",
        "url": "http://serai.test/own",
        "name": "own",
        "status": "active",
        "description": "x",
        "code": "blood-group",
        "base": ["Patient"],
        "type": "token",
        "expression": f"Patient.extension.where(url='{BLOOD}').value",
        **more,
    }


def with_blood(id: str, group: str) -> Data:
    return patient(id=id, extension=[{"url": BLOOD, "valueCode": group}])


async def put(fhir: httpx.AsyncClient, resource: Data) -> httpx.Response:
    address = f"{resource['resourceType']}/{resource['id']}"
    return await fhir.put(address, content=as_json(resource), headers=JSON)


async def test_what_is_stored_after_the_parameter_is_found_at_once_and_the_rest_after_reindexing(
    fhir: httpx.AsyncClient, db: Database
) -> None:
    await put(fhir, with_blood("before", "AB"))
    assert (await fhir.get("Patient?blood-group=AB")).status_code == 400
    assert (await put(fhir, parameter())).status_code == 201
    await put(fhir, with_blood("after", "AB"))
    await put(fhir, with_blood("other", "0"))
    assert ids(await search(fhir, "Patient?blood-group=AB")) == ["after"]
    async with db.transaction() as tx:
        await reindex_after(tx, "Patient", "", 100, base=BASE)
    assert ids(await search(fhir, "Patient?blood-group=AB&_sort=_id")) == ["after", "before"]
    assert ids(await search(fhir, "Patient?blood-group=B")) == []
    listed = (await fhir.get("metadata")).json()["rest"][0]["resource"]
    (told,) = [one for one in listed if one["type"] == "Patient"]
    assert {"name": "blood-group", "definition": "http://serai.test/own", "type": "token"} in (
        told["searchParam"]
    )


@pytest.mark.parametrize("how", ["retired", "deleted"])
async def test_a_parameter_that_is_retired_or_deleted_is_unknown_again(
    fhir: httpx.AsyncClient, how: str
) -> None:
    await put(fhir, parameter())
    assert (await fhir.get("Patient?blood-group=AB")).status_code == 200
    if how == "retired":
        await put(fhir, parameter(status="retired"))
    else:
        await fhir.delete("SearchParameter/own")
    answer = await fhir.get("Patient?blood-group=AB")
    assert answer.status_code == 400
    assert "blood-group" in answer.text
    assert "blood-group" not in (await fhir.get("metadata")).text


async def test_another_process_notices_when_it_looks(fhir: httpx.AsyncClient, db: Database) -> None:
    await put(fhir, parameter())
    own.take([])
    Watch.version = "what another process knew"
    async with db.connection() as connection:
        await Watch().look(connection)
    assert "blood-group" in own.search_parameters("Patient")


@pytest.mark.parametrize(
    ("type", "expression", "query"),
    [
        ("string", "Patient.name.family.lower()", "Patient?blood-group=li"),
        ("date", "Patient.birthDate + 1 year", "Patient?blood-group=1981-05-01"),
        ("token", "Patient.name.exists()", "Patient?blood-group=true"),
        ("string", "Patient.contact.name", "Patient?blood-group=wang"),
        ("reference", "Patient.managingOrganization", "Patient?blood-group=Organization/o"),
        ("date", "Patient.identifier.period", "Patient?blood-group=2020"),
    ],
)
async def test_expressions_of_many_kinds_are_honoured(
    fhir: httpx.AsyncClient, type: str, expression: str, query: str
) -> None:
    answer = await put(fhir, parameter(type=type, expression=expression))
    assert answer.status_code == 201, answer.text
    known: dict[str, Any] = {
        "birthDate": "1980-05-01",
        "contact": [{"name": {"family": "Wang"}}],
        "managingOrganization": {"reference": "Organization/o"},
        "identifier": [{"period": {"start": "2020-01", "end": "2020-03"}}],
    }
    await put(fhir, patient(id="p", **known))
    await put(fhir, {"resourceType": "Patient", "id": "q", "active": True})
    assert ids(await search(fhir, query)) == ["p"]


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"expression": "Patient.("}, "SearchParameter.expression"),
        ({"expression": "Patient.bogus()"}, "SearchParameter.expression"),
        ({"expression": "Patient.name.first() )"}, "SearchParameter.expression"),
        ({"expression": "Patient"}, "SearchParameter.expression"),
        ({"expression": "Patient[0]"}, "SearchParameter.expression"),
        ({"expression": "(" * 2000}, "SearchParameter.expression"),
        ({"expression": "Patient.nonsense"}, "SearchParameter.expression"),
        ({"expression": "Observation.code"}, "SearchParameter.expression"),
        ({"type": "composite"}, "SearchParameter.type"),
        ({"code": "family"}, "SearchParameter.code"),
        ({"code": "a.b"}, "SearchParameter.code"),
        ({"base": ["Patient", "HumanName"]}, "SearchParameter.base[1]"),
    ],
)
async def test_a_parameter_that_cannot_be_searched_by_is_refused_with_its_place(
    fhir: httpx.AsyncClient, wrong: Data, place: str
) -> None:
    answer = await put(fhir, parameter(**wrong))
    assert answer.status_code == 422, answer.text
    assert place in answer.text
    draft = await put(fhir, parameter(**wrong | {"status": "draft", "base": ["Patient"]}))
    assert draft.status_code == 201, draft.text


async def test_two_parameters_cannot_share_a_code(fhir: httpx.AsyncClient) -> None:
    await put(fhir, parameter())
    assert (await put(fhir, parameter(id="second"))).status_code == 422
    assert (await put(fhir, parameter(id="second", code="second"))).status_code == 201
