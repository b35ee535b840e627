"""R4 §4.8 Terminology: the operations, with what is asked and what is answered as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fhir.conftest import MACHINE, Client
from tests.fhir.resources import doctor
from tests.fhir.terminology.conftest import as_actor, fhir, store
from tests.fhir.terminology.vocabulary import (
    ILLNESSES,
    ILLS,
    code_system,
    filtered,
    keep,
    value_set,
)

from serai.fhir.operations import closure, expand, lookup, subsumes, translate, validate_code
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor, Kind
from serai.platform.db import Database

__all__ = ["as_actor", "fhir", "store"]

VS = "http://example.org/vs"
DEFINITIONS = Path("node_modules/hl7.fhir.r4.examples")
Params = dict[str, Any]

PARAMETERS = {
    "ValueSet-expand": expand.PARAMETERS,
    "ValueSet-validate-code": validate_code.IN_VALUE_SET,
    "CodeSystem-validate-code": validate_code.IN_SYSTEM,
    "CodeSystem-lookup": lookup.PARAMETERS,
    "CodeSystem-subsumes": subsumes.PARAMETERS,
    "ConceptMap-translate": translate.PARAMETERS,
    "ConceptMap-closure": closure.PARAMETERS,
}


@pytest.mark.skipif(not DEFINITIONS.is_dir(), reason="needs `make setup` (node_modules)")
@pytest.mark.parametrize("name", PARAMETERS)
def test_an_operation_knows_exactly_the_parameters_that_hl7_defines(name: str) -> None:
    definition = json.loads((DEFINITIONS / f"OperationDefinition-{name}.json").read_text())
    defined = {one["name"] for one in definition["parameter"] if one["use"] == "in"}
    assert set(PARAMETERS[name]) == defined


def parts(answer: httpx.Response) -> dict[str, Any]:
    """The single values of a Parameters resource by name."""
    assert answer.status_code == 200, answer.text
    return {
        one["name"]: next((v for k, v in one.items() if k.startswith("value")), one)
        for one in answer.json()["parameter"]
    }


def expanded(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["code"] for one in answer.json()["expansion"].get("contains", [])]


EXPANSIONS: dict[str, tuple[list[Any], Params, str]] = {
    "the order of the code system": (
        [{"system": ILLS}], {}, "diabetes t1 t2 t2k meniere dropsy",
    ),
    "a filter by the beginnings of words": (
        [{"system": ILLS}], {"filter": "neph typ"}, "t2k",
    ),
    "accents and case do not matter": ([{"system": ILLS}], {"filter": "MENIERE"}, "meniere"),
    "Chinese is found inside a word": ([{"system": ILLS}], {"filter": "尿病"}, "diabetes"),
    "a page": ([{"system": ILLS}], {"offset": "1", "count": "2"}, "t1 t2"),
    "only active codes": (
        [{"system": ILLS}], {"activeOnly": "true", "filter": "d"}, "diabetes t1 t2 meniere",
    ),
    "a code named by two rules comes once": (
        [filtered("is-a", "t2"), {"system": ILLS, "concept": [{"code": "t2"}, {"code": "t1"}]}],
        {}, "t2 t2k t1",
    ),
    "without a system": ([{"system": ILLS}], {"exclude-system": ILLS}, ""),
    "codes of a system that is not here": (
        [{"system": "http://far.org", "concept": [{"code": "a", "display": "Ä"}]}],
        {"filter": "a"}, "a",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPANSIONS)
async def test_expand(name: str, db: Database, store: FhirStore, fhir: httpx.AsyncClient) -> None:
    include, params, codes = EXPANSIONS[name]
    await keep(db, store, ILLNESSES, value_set(VS, *include))
    answer = await fhir.get("ValueSet/$expand", params={"url": VS, **params})
    assert expanded(answer) == codes.split()
    given = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "valueSet", "resource": value_set(VS, *include)},
            *({"name": name, "valueString": value} for name, value in params.items()),
        ],
    }
    inline = await fhir.post(
        "ValueSet/$expand", json=given, headers={"content-type": "application/fhir+json"}
    )
    assert expanded(inline) == codes.split()


async def test_expand_at_an_instance_in_another_language_and_nested(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient
) -> None:
    await keep(db, store, ILLNESSES, value_set(VS, {"system": ILLS}))
    answer = await fhir.get(
        "ValueSet/vs/$expand",
        params={"displayLanguage": "zh", "excludeNested": "false", "includeDesignations": "true"},
    )
    expansion = answer.json()["expansion"]
    assert expansion["total"] == 6
    top = expansion["contains"][0]
    assert top["display"] == "糖尿病"
    assert top["designation"] == [{"language": "zh", "value": "糖尿病"}]
    assert [one["code"] for one in top["contains"]] == ["t1", "t2"]
    assert [one["code"] for one in top["contains"][1]["contains"]] == ["t2k"]


SNOMED = "http://snomed.info/sct"
IMPLICIT = {
    "?fhir_vs": "138875005 404684003 64572001",
    "?fhir_vs=isa/404684003": "404684003 64572001",
    "?fhir_vs=ecl/<<404684003": "404684003 64572001",
    "?fhir_vs=ecl/< 404684003 |Clinical finding|": "64572001",
    "?fhir_vs=ecl/>>64572001": "138875005 404684003 64572001",
}


@pytest.mark.parametrize("query", IMPLICIT)
async def test_expand_an_implicit_value_set(
    query: str, db: Database, store: FhirStore, fhir: httpx.AsyncClient
) -> None:
    finding = {"code": "404684003", "concept": [{"code": "64572001"}]}
    snomed = code_system(SNOMED, [{"code": "138875005", "concept": [finding]}])
    await keep(db, store, snomed)
    answer = await fhir.get("ValueSet/$expand", params={"url": SNOMED + query})
    assert expanded(answer) == IMPLICIT[query].split()


REFUSED_EXPANSIONS: dict[str, tuple[Any, Params, int, str]] = {
    "a circle of value sets": ({"valueSet": [VS]}, {}, 422, "terminology.value-set-circle"),
    "an unknown import": ({"valueSet": ["http://no.org"]}, {}, 404,
                          "terminology.unknown-value-set"),
    "an unknown system": ({"system": "http://no.org"}, {}, 404, "terminology.unknown-system"),
    "a filter nobody can evaluate": (filtered("is-a", "t1", "organ"), {}, 422,
                                     "terminology.filter"),
    "look-around": (filtered("regex", "(?=a)b", "code"), {}, 422, "terminology.regex"),
    "a back-reference": (filtered("regex", r"(a)\1", "code"), {}, 422, "terminology.regex"),
    "a broken regex": (filtered("regex", "(((", "code"), {}, 422, "terminology.regex"),
    "a parameter that is not R4": ({"system": ILLS}, {"property": "x"}, 400,
                                   "operation.unknown-parameter"),
    "a date": ({"system": ILLS}, {"date": "2020"}, 400, "terminology.not-offered"),
    "a filter without end": ({"system": ILLS}, {"filter": "a" * 60_000}, 413,
                             "terminology.filter-too-long"),
    "another version": ({"system": ILLS}, {"check-system-version": f"{ILLS}|2"}, 422,
                        "terminology.other-version"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED_EXPANSIONS)
async def test_expand_refuses(
    name: str, db: Database, store: FhirStore, fhir: httpx.AsyncClient
) -> None:
    include, params, status, key = REFUSED_EXPANSIONS[name]
    await keep(db, store, ILLNESSES, value_set(VS, include))
    answer = await fhir.get("ValueSet/$expand", params={"url": VS, **params})
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == key


async def test_a_regex_made_to_hang_ends(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient
) -> None:
    codes = [{"code": "a" * 5000 + str(n)} for n in range(50)]
    await keep(db, store, code_system(ILLS, codes))
    await keep(db, store, value_set(VS, filtered("regex", "(a|a|aa)*(a*)*b", "code")))
    answer = await fhir.get("ValueSet/$expand", params={"url": VS})
    assert answer.status_code in (200, 413)
    assert answer.elapsed.total_seconds() < 10


async def test_lookup(db: Database, store: FhirStore, fhir: httpx.AsyncClient) -> None:
    await keep(db, store, ILLNESSES)
    answer = await fhir.get("CodeSystem/$lookup", params={"system": ILLS, "code": "t2"})
    found = parts(answer)
    assert (found["name"], found["version"], found["display"]) == ("Ills", "1", "Type 2 diabetes")
    properties = [one["part"] for one in answer.json()["parameter"] if one["name"] == "property"]
    assert [
        {"name": "code", "valueCode": "parent"},
        {"name": "value", "valueCode": "diabetes"},
    ] in (properties)
    assert [{"name": "code", "valueCode": "child"}, {"name": "value", "valueCode": "t2k"}] in (
        properties
    )
    assert [{"name": "code", "valueCode": "chronic"}, {"name": "value", "valueBoolean": True}] in (
        properties
    )
    hl7 = await fhir.get(
        "CodeSystem/$lookup",
        params={"system": "http://hl7.org/fhir/administrative-gender", "code": "female"},
    )
    assert parts(hl7)["display"] == "Female"
    unknown = await fhir.get("CodeSystem/$lookup", params={"system": ILLS, "code": "cold"})
    assert unknown.status_code == 404


VALIDATIONS: list[tuple[str, Params, bool]] = [
    ("CodeSystem", {"url": ILLS, "code": "t1"}, True),
    ("CodeSystem", {"url": ILLS, "code": "cold"}, False),
    ("CodeSystem", {"url": ILLS, "code": "meniere", "display": "meniere's DISEASE"}, True),
    ("CodeSystem", {"url": ILLS, "code": "diabetes", "display": "糖尿病"}, True),
    ("CodeSystem", {"url": ILLS, "code": "t1", "display": "Dropsy"}, False),
    ("ValueSet", {"url": VS, "system": ILLS, "code": "t2k"}, True),
    ("ValueSet", {"url": VS, "system": ILLS, "code": "t1"}, False),
    ("ValueSet", {"url": VS, "code": "t2k"}, True),
    ("ValueSet", {"url": VS, "system": "http://other.org", "code": "t2k"}, False),
    ("ValueSet", {"url": f"{ILLS}/all", "system": ILLS, "code": "t1"}, True),
]


async def test_validate_code(db: Database, store: FhirStore, fhir: httpx.AsyncClient) -> None:
    await keep(db, store, ILLNESSES, value_set(VS, filtered("is-a", "t2")))
    for kind, params, result in VALIDATIONS:
        answer = await fhir.get(f"{kind}/$validate-code", params=params)
        assert parts(answer)["result"] is result, (kind, params, answer.text)
    instance = await fhir.get("CodeSystem/ills/$validate-code", params={"code": "t1"})
    assert parts(instance)["display"] == "Type 1 diabetes"
    concept = {"coding": [{"system": "http://x.org", "code": "1"}, {"system": ILLS, "code": "t2"}]}
    asked = {
        "resourceType": "Parameters",
        "parameter": [{"name": "codeableConcept", "valueCodeableConcept": concept}],
    }
    posted = await fhir.post(
        "ValueSet/vs/$validate-code", json=asked, headers={"content-type": "application/fhir+json"}
    )
    assert parts(posted)["result"] is True


async def test_what_is_not_here_is_not_called_wrong(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient
) -> None:
    await keep(db, store, value_set(VS, {"system": "http://far.org"}))
    answer = await fhir.get(
        "ValueSet/$validate-code", params={"url": VS, "system": "http://far.org", "code": "a"}
    )
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["code"] == "not-found"


SUBSUMPTIONS = {
    ("t2", "t2"): "equivalent",
    ("diabetes", "t2k"): "subsumes",
    ("t2k", "diabetes"): "subsumed-by",
    ("t1", "t2"): "not-subsumed",
}


async def test_subsumes(db: Database, store: FhirStore, fhir: httpx.AsyncClient) -> None:
    await keep(db, store, ILLNESSES)
    for (a, b), outcome in SUBSUMPTIONS.items():
        for path, more in (("CodeSystem", {"system": ILLS}), ("CodeSystem/ills", {})):
            params = {"codeA": a, "codeB": b, **more}
            answer = await fhir.get(f"{path}/$subsumes", params=params)
            assert parts(answer)["outcome"] == outcome


MAP = {
    "resourceType": "ConceptMap",
    "id": "map",
    "url": "http://example.org/map",
    "status": "active",
    "sourceUri": f"{ILLS}/all",
    "group": [
        {
            "source": ILLS,
            "target": "http://far.org",
            "element": [
                {"code": "t1", "target": [{"code": "E10", "equivalence": "equivalent"}]},
                {"code": "t2", "target": [{"code": "E11", "equivalence": "wider"}]},
                {"code": "dropsy", "target": [{"equivalence": "unmatched"}]},
            ],
            "unmapped": {"mode": "fixed", "code": "R69", "display": "Unknown"},
        }
    ],
}
TRANSLATIONS: list[tuple[Params, bool, list[tuple[str, str | None]]]] = [
    ({"system": ILLS, "code": "t1"}, True, [("equivalent", "E10")]),
    ({"system": ILLS, "code": "t2", "targetsystem": "http://far.org"}, True, [("wider", "E11")]),
    ({"system": ILLS, "code": "t2", "targetsystem": "http://near.org"}, False, []),
    ({"system": ILLS, "code": "t2", "source": f"{ILLS}/none"}, False, []),
    ({"system": ILLS, "code": "dropsy"}, False, [("unmatched", None)]),
    ({"system": ILLS, "code": "meniere"}, True, [("inexact", "R69")]),
    ({"system": "http://far.org", "code": "E11", "reverse": "true"}, True, [("narrower", "t2")]),
]


async def test_translate(db: Database, store: FhirStore, fhir: httpx.AsyncClient) -> None:
    await keep(db, store, MAP)
    places: list[tuple[str, Params]] = [
        ("ConceptMap", {"url": MAP["url"]}),
        ("ConceptMap/map", {}),
    ]
    for params, result, matches in TRANSLATIONS:
        for where, more in places:
            answer = await fhir.get(f"{where}/$translate", params={**params, **more})
            found = [
                {part["name"]: part for part in one["part"]}
                for one in answer.json().get("parameter", [])
                if one["name"] == "match"
            ]
            assert parts(answer)["result"] is result, (params, answer.text)
            assert [
                (one["equivalence"]["valueCode"],
                 one["concept"]["valueCoding"]["code"] if "concept" in one else None)
                for one in found
            ] == matches  # fmt: skip


async def closed(client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    given: list[Any] = [{"name": "name", "valueString": "mine"}]
    given += [
        {"name": "concept", "valueCoding": {"system": ILLS, "code": code}}
        for code in more.get("codes", [])
    ]
    if "version" in more:
        given.append({"name": "version", "valueString": more["version"]})
    body = {"resourceType": "Parameters", "parameter": given}
    headers = {"content-type": "application/fhir+json"}
    return await client.post("$closure", json=body, headers=headers)


def pairs(answer: httpx.Response) -> set[tuple[str, str]]:
    return {
        (element["code"], target["code"])
        for group in answer.json().get("group", [])
        for element in group["element"]
        for target in element["target"]
    }


async def test_closure_tells_what_is_new(db: Database, store: FhirStore, as_actor: Client) -> None:
    await keep(db, store, ILLNESSES)
    fhir = as_actor(MACHINE)
    assert (await closed(fhir, codes=["t1"])).status_code == 404
    assert (await closed(fhir)).json()["version"] == "0"
    assert pairs(await closed(fhir, codes=["t2k", "t1"])) == set()
    second = await closed(fhir, codes=["diabetes"])
    assert second.json()["version"] == "2"
    assert pairs(second) == {("t2k", "diabetes"), ("t1", "diabetes")}
    assert pairs(await closed(fhir, codes=["t2"])) == {("t2k", "t2"), ("t2", "diabetes")}
    assert len(pairs(await closed(fhir, version="1"))) == 4
    assert (await closed(as_actor(doctor("elsewhere")), version="0")).status_code == 404


async def test_terminology_needs_the_scope_of_its_type(as_actor: Client) -> None:
    narrow = Actor("m", Kind.MACHINE, "m", "system", scopes=frozenset({"system/Patient.r"}))
    for path in ("ValueSet/$expand?url=x", "CodeSystem/$lookup?system=x&code=y",
                 "ConceptMap/$translate?code=y&system=x"):  # fmt: skip
        assert (await as_actor(narrow).get(path)).status_code == 403
        assert (await as_actor(doctor(None)).get(path)).status_code == 403
