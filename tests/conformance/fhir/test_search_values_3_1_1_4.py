"""R4 §3.1.1.4: what each type of search value finds. Resources, query, expected ids."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.fhir.resources import Data, as_json, observation

JSON = {"content-type": "application/fhir+json"}
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
STAGE = "urn:stage"


def measured(id: str, value: float, unit: str, code: str = "8867-4", **more: Any) -> Data:
    quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return observation(id=id, code=code, valueQuantity=quantity, **more)


def component(code: str, **value: Any) -> Data:
    return {"code": {"coding": [{"system": LOINC, "code": code}]}, **value}


def pressure(id: str, systolic: float, diastolic: float) -> Data:
    def part(code: str, value: float) -> Data:
        return component(
            code,
            valueQuantity={"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
        )

    parts = [part("8480-6", systolic), part("8462-4", diastolic)]
    return observation(id=id, code="85354-9", component=parts)


def risk(id: str, **probability: Any) -> Data:
    return {
        "resourceType": "RiskAssessment",
        "id": id,
        "status": "final",
        "subject": {"display": "Somebody"},
        "prediction": [probability],
    }


def place(id: str, latitude: float, longitude: float) -> Data:
    position = {"latitude": latitude, "longitude": longitude}
    return {"resourceType": "Location", "id": id, "position": position}


def concept(system: str, code: str) -> Data:
    return {"coding": [{"system": system, "code": code}]}


RESOURCES: list[Data] = [
    measured("g54", 5.4, "g", code="dose"),
    measured("mg5400", 5400, "mg", code="dose"),
    measured("mg54", 5.4, "mg", code="dose"),
    measured("kg72", 72, "kg", code="29463-7"),
    measured("lb", 158.7, "[lb_av]", code="29463-7"),
    measured("fever", 38.5, "Cel", code="8310-5"),
    measured("feverF", 101.3, "[degF]", code="8310-5"),
    measured("mmol", 5.4, "mmol/L", code="glucose"),
    observation(id="tablets", code="count", valueQuantity={"value": 3, "unit": "tablets"}),
    observation(id="bp-series", code="series", valueSampledData={
        "origin": {"value": 100, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
        "period": 10, "factor": 2, "dimensions": 1, "data": "-5 E 30 12"}),
    pressure("bp1", 150, 80),
    pressure("bp2", 120, 95),
    observation(id="stage2", code="stage", valueCodeableConcept=concept(STAGE, "II")),
    observation(id="grade2", code="grade", valueCodeableConcept=concept(STAGE, "II")),
    observation(id="since", code="since", valueDateTime="2024-02"),
    observation(id="said", code="said", valueString="Feels Better"),
    risk("r1", probabilityDecimal=0.8), risk("r2", probabilityDecimal=0.84),
    risk("r3", probabilityDecimal=0.85),
    {"resourceType": "Condition", "id": "young", "subject": {"display": "x"},
     "onsetRange": {"low": {"value": 10, "system": UCUM, "code": "a", "unit": "years"},
                    "high": {"value": 15, "system": UCUM, "code": "a", "unit": "years"}}},
    {"resourceType": "Condition", "id": "old", "subject": {"display": "x"},
     "onsetAge": {"value": 70, "system": UCUM, "code": "a", "unit": "years"}},
    {"resourceType": "Condition", "id": "after40", "subject": {"display": "x"},
     "onsetRange": {"low": {"value": 40, "system": UCUM, "code": "a", "unit": "years"}}},
    {"resourceType": "Invoice", "id": "paid", "status": "issued",
     "totalNet": {"value": 40.22, "currency": "CNY"}},
    place("chengdu", 30.66, 104.06), place("beijing", 39.9, 116.4),
    place("fiji", -17.0, 179.95), place("fiji-east", -17.0, -179.95),
    {"resourceType": "Location", "id": "nowhere", "name": "A place without position"},
    {"resourceType": "DocumentReference", "id": "replacement", "status": "current",
     "content": [{"attachment": {"title": "x"}}],
     "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/first"}},
                   {"code": "appends", "target": {"reference": "DocumentReference/other"}}]},
    {"resourceType": "Group", "id": "women", "type": "person", "actual": False,
     "characteristic": [
         {"code": concept("urn:c", "gender"), "valueCodeableConcept": concept("urn:g", "female"),
          "exclude": False},
         {"code": concept("urn:c", "smoker"), "valueBoolean": True, "exclude": False}]},
    {"resourceType": "ValueSet", "id": "vs", "status": "active", "url": "http://x.test/vs/a/1",
     "useContext": [{"code": {"system": "urn:u", "code": "age"},
                     "valueRange": {"low": {"value": 18, "system": UCUM, "code": "a"}}}]},
    {"resourceType": "MolecularSequence", "id": "gene", "coordinateSystem": 0,
     "referenceSeq": {"chromosome": concept("urn:chr", "7"), "windowStart": 5, "windowEnd": 900},
     "variant": [{"start": 100, "end": 200}, {"start": 300, "end": 400}]},
    {"resourceType": "Patient", "id": "p1", "identifier": [
        {"type": concept("urn:kind", "MR"), "value": "12"}, {"value": "77"}]},
]  # fmt: skip

NUMBER = [
    ("RiskAssessment?probability=0.8", ["r1", "r2"]),
    ("RiskAssessment?probability=0.80", ["r1"]),
    ("RiskAssessment?probability=8e-1", ["r1"]),
    ("RiskAssessment?probability=+0.8", ["r1", "r2"]),
    ("RiskAssessment?probability=ne0.8", ["r3"]),
    ("RiskAssessment?probability=gt0.8", ["r2", "r3"]),
    ("RiskAssessment?probability=ge0.84", ["r2", "r3"]),
    ("RiskAssessment?probability=lt0.84", ["r1"]),
    ("RiskAssessment?probability=le0.84", ["r1", "r2"]),
    ("RiskAssessment?probability=sa0.84", ["r3"]),
    ("RiskAssessment?probability=eb0.84", ["r1"]),
    ("RiskAssessment?probability=ap0.9", ["r2", "r3"]),
    ("RiskAssessment?probability=0.80,0.850", ["r1", "r3"]),
    ("RiskAssessment?probability:missing=false", ["r1", "r2", "r3"]),
    ("RiskAssessment?probability=1e400", []),
]
QUANTITY = [
    (f"Observation?value-quantity=5.4|{UCUM}|g", ["g54", "mg5400"]),
    (f"Observation?value-quantity=5400|{UCUM}|mg", ["g54", "mg5400"]),
    ("Observation?value-quantity=5.4||g", ["g54", "mg5400"]),
    ("Observation?value-quantity=5.4", ["g54", "mg54", "mmol"]),
    (f"Observation?value-quantity=72|{UCUM}|kg", ["kg72", "lb"]),
    (f"Observation?value-quantity=72.0|{UCUM}|kg", ["kg72", "lb"]),
    (f"Observation?value-quantity=72.00|{UCUM}|kg", ["kg72"]),
    (f"Observation?value-quantity=38.5|{UCUM}|Cel", ["fever", "feverF"]),
    (f"Observation?value-quantity=gt100|{UCUM}|[degF]", ["fever", "feverF"]),
    ("Observation?value-quantity=3||tablets", ["tablets"]),
    (f"Observation?value-quantity=3|{UCUM}|tablets", []),
    (f"Observation?value-quantity=gt155|{UCUM}|mm[Hg]", ["bp-series"]),
    (f"Observation?value-quantity=lt91|{UCUM}|mm[Hg]", ["bp-series"]),
    (f"Observation?combo-value-quantity=gt140|{UCUM}|mm[Hg]", ["bp-series", "bp1"]),
    (f"Observation?component-value-quantity=le80|{UCUM}|mm[Hg]", ["bp1"]),
    (f"Observation?component-value-quantity=gt12|{UCUM}|kPa", ["bp1", "bp2"]),
    ("Observation?component-value-quantity:missing=false", ["bp1", "bp2"]),
    (f"Condition?onset-age=gt14|{UCUM}|a", ["after40", "old", "young"]),
    (f"Condition?onset-age=lt11|{UCUM}|a", ["young"]),
    (f"Condition?onset-age=sa15|{UCUM}|a", ["after40", "old"]),
    (f"Condition?onset-age=eb40|{UCUM}|a", ["young"]),
    (f"Condition?onset-age=70|{UCUM}|a", ["old"]),
    (f"Condition?onset-age=ap68|{UCUM}|a", ["after40", "old"]),
    (f"Condition?onset-age=gt600|{UCUM}|mo", ["after40", "old"]),
    ("Invoice?totalnet=40.22|urn:iso:std:iso:4217|CNY", ["paid"]),
    ("Invoice?totalnet=40.22||CNY", ["paid"]),
    ("Invoice?totalnet=40.22||USD", []),
]
COMPOSITE = [
    (f"Observation?component-code-value-quantity={LOINC}|8480-6$gt140", ["bp1"]),
    ("Observation?component-code-value-quantity=8462-4$gt140", []),
    (f"Observation?component-code-value-quantity=8462-4$ge90|{UCUM}|mm[Hg]", ["bp2"]),
    (f"Observation?combo-code-value-quantity=8480-6$gt140|{UCUM}|mm[Hg],dose$gt5.0|{UCUM}|g",
     ["bp1", "g54", "mg5400"]),
    (f"Observation?code-value-quantity=dose$5.4|{UCUM}|g", ["g54", "mg5400"]),
    ("Observation?code-value-quantity=8480-6$gt140", []),
    ("Observation?code-value-quantity:missing=false&code=dose", ["g54", "mg54", "mg5400"]),
    (f"Observation?code-value-concept=stage${STAGE}|II", ["stage2"]),
    ("Observation?combo-code-value-concept=grade$II", ["grade2"]),
    ("Observation?code-value-concept=stage$III", []),
    ("Observation?code-value-date=since$ge2024-01", ["since"]),
    ("Observation?code-value-date=since$2023", []),
    ("Observation?code-value-string=said$feels", ["said"]),
    ("Observation?code-value-string=since$feels", []),
    ("DocumentReference?relationship=DocumentReference/first$replaces", ["replacement"]),
    ("DocumentReference?relationship=DocumentReference/first$appends", []),
    ("Group?characteristic-value=gender$urn:g|female", ["women"]),
    ("Group?characteristic-value=gender$true", []),
    ("Group?characteristic-value=smoker$true", ["women"]),
    (f"ValueSet?context-type-quantity=age$ge20|{UCUM}|a", ["vs"]),
    ("MolecularSequence?chromosome-variant-coordinate=7$lt150$gt150", ["gene"]),
    ("MolecularSequence?chromosome-variant-coordinate=7$lt150$gt350", []),
    ("MolecularSequence?chromosome-window-coordinate=urn:chr|7$le5$ge900", ["gene"]),
]  # fmt: skip
SPECIAL = [
    ("Location?near=30.66|104.06|1|km", ["chengdu"]),
    ("Location?near=30.7|104.1", ["chengdu"]),
    ("Location?near=30.66|104.06|1600|km", ["beijing", "chengdu"]),
    ("Location?near=30.66|104.06|900|[mi_i]", ["chengdu"]),
    ("Location?near=-17|180|10|km", ["fiji", "fiji-east"]),
    ("Location?near:missing=true", ["nowhere"]),
]
MODIFIERS = [
    ("Patient?identifier:of-type=urn:kind|MR|12", ["p1"]),
    ("Patient?identifier:of-type=urn:kind|MR|77", []),
    ("ValueSet?url:below=http://x.test/vs", ["vs"]),
    ("ValueSet?url:below=http://x.test/vs/", ["vs"]),
    ("ValueSet?url:below=http://x.test/v", []),
    ("ValueSet?url:above=http://x.test/vs/a/1/_history/5", ["vs"]),
    ("ValueSet?url:above=http://x.test/vs/a", []),
]


@pytest_asyncio.fixture
async def clinic(fhir: httpx.AsyncClient) -> httpx.AsyncClient:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in RESOURCES
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = await fhir.post("", content=as_json(bundle), headers=JSON)
    assert answer.status_code == 200, answer.text
    return fhir


async def ids(fhir: httpx.AsyncClient, address: str) -> list[str]:
    answer = await fhir.get(address)
    assert answer.status_code == 200, f"{address}: {answer.text}"
    return sorted(entry["resource"]["id"] for entry in answer.json().get("entry", []))


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(NUMBER, id="3.1.1.4.6 number"),
        pytest.param(QUANTITY, id="3.1.1.4.13 quantity"),
        pytest.param(COMPOSITE, id="3.1.1.4.16 composite"),
        pytest.param(SPECIAL, id="8.7 near"),
        pytest.param(MODIFIERS, id="3.1.1.4.5 modifiers"),
    ],
)
async def test_these_values_find_exactly_these(
    clinic: httpx.AsyncClient, cases: list[tuple[str, list[str]]]
) -> None:
    found = {address: await ids(clinic, address.replace("+", "%2B")) for address, _ in cases}
    assert found == dict(cases)


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("RiskAssessment?probability=1e999999", "probability"),
        ("RiskAssessment?probability=NaN", "probability"),
        ("RiskAssessment?probability=Infinity", "probability"),
        ("RiskAssessment?probability=" + "9" * 500, "probability"),
        ("RiskAssessment?probability=0x10", "probability"),
        ("RiskAssessment?probability=1'; DROP TABLE fhir_resource--", "probability"),
        ("RiskAssessment?probability=1%00", "U+0000"),
        ("RiskAssessment?probability:exact=1", "probability:exact"),
        ("Observation?value-quantity=5|mg", "value-quantity"),
        (f"Observation?value-quantity=5|{UCUM}|", "value-quantity"),
        ("Observation?code-value-quantity=8480-6", "code-value-quantity"),
        ("Observation?code-value-quantity=8480-6$much", "code-value-quantity"),
        ("Observation?code-value-quantity=a$1$2", "code-value-quantity"),
        ("Observation?code:in=http://x.test/vs", "code:in"),
        ("Observation?status:text=final", "status:text"),
        ("Observation?subject:below=Patient/1", "subject:below"),
        ("Observation?code:of-type=urn:kind|MR|12", "code:of-type"),
        ("Location?near=91|0|5|km", "near"),
        ("Location?near=1|1|-5|km", "near"),
        ("Location?near=1|1|5|parsec", "near"),
        ("Location?near=here", "near"),
        ("Patient?identifier:of-type=MR|12", "identifier:of-type"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(
    fhir: httpx.AsyncClient, address: str, named: str
) -> None:
    answer = await fhir.get(address)
    assert answer.status_code == 400, answer.text
    assert named in answer.text


async def test_an_update_takes_the_old_value_away(clinic: httpx.AsyncClient) -> None:
    changed = measured("g54", 7, "g", code="dose")
    assert (await clinic.put("Observation/g54", content=as_json(changed), headers=JSON)).is_success
    assert await ids(clinic, f"Observation?value-quantity=5.4|{UCUM}|g") == ["mg5400"]
    assert (await clinic.delete("Observation/mg5400")).is_success
    assert await ids(clinic, f"Observation?value-quantity=5.4|{UCUM}|g") == []


async def test_a_long_list_of_numbers_is_answered(clinic: httpx.AsyncClient) -> None:
    listed = ",".join(str(number) for number in range(1000))
    found = await clinic.post(
        "Observation/_search",
        data={"value-quantity": listed},
    )
    assert found.status_code == 200, found.text[:300]
    assert "tablets" in found.text


@pytest.mark.parametrize(
    ("parameter", "value", "status"),
    [
        ("value-quantity", f"5.4|{UCUM}|g", 400),
        ("code-value-quantity", f"dose$5.4|{UCUM}|g", 400),
        ("date", "2024", 400),
        ("code", "dose", 400),
        ("code-value-concept", "stage$II", 400),
    ],
)
async def test_ten_thousand_values_are_refused_at_once(
    clinic: httpx.AsyncClient, parameter: str, value: str, status: int
) -> None:
    started = perf_counter()
    listed = ",".join([value] * 10_000)
    found = await clinic.post("Observation/_search", data={parameter: listed})
    assert found.status_code == status, found.text[:300]
    assert perf_counter() - started < 5
