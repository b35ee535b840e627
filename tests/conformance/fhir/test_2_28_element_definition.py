"""R4 §2.28 ElementDefinition: least and most values, nested items, and where an invariant stands.

Each case states the differential of a profile, an instance, and every issue it is to be told.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.fhir.profiles.held_against import Data, Told, definition, shelved, told

UCUM = "http://unitsofmeasure.org"


def grams(value: str, unit: str = "g") -> Data:
    return {"value": Decimal(value), "system": UCUM, "code": unit}


def weighs(value: Data) -> Data:
    return {"resourceType": "Observation", "status": "final", "valueQuantity": value}


def between(low: Any, high: Any) -> Data:
    return {"path": "Observation.value[x]", "minValueQuantity": low, "maxValueQuantity": high}


HALF_TO_TWO_KILOS = between(grams("0.5", "kg"), grams("2", "kg"))
PLACE = "Observation.value.ofType(Quantity)"
LOW, HIGH = [("error", "too-low", PLACE)], [("error", "too-high", PLACE)]
RISK = {"path": "RiskAssessment.prediction.probability[x]", "maxValueDecimal": Decimal(100)}
QUESTION = [
    {"path": "Questionnaire.item", "min": 1},
    {"path": "Questionnaire.item.text", "min": 1},
]
PATIENT_IN_BUNDLE = {
    "path": "Bundle.entry.resource",
    "constraint": [{
        "key": "x-1", "severity": "error", "human": "stands in a Bundle",
        "expression": "type().name = 'Patient' and %resource.type().name = 'Bundle'",
    }],
}  # fmt: skip


def bundle(*kinds: str) -> Data:
    entries = [{"resource": {"resourceType": kind}} for kind in kinds]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


CASES: list[tuple[str, list[Data], Data, list[Told]]] = [
    ("within", [HALF_TO_TWO_KILOS], weighs(grams("1", "kg")), []),
    ("just within, in another unit", [HALF_TO_TWO_KILOS], weighs(grams("500")), []),
    ("below, in another unit", [HALF_TO_TWO_KILOS], weighs(grams("499.999")), LOW),
    ("above, in another unit", [HALF_TO_TWO_KILOS], weighs(grams("2000.001")), HIGH),
    ("of another kind", [HALF_TO_TWO_KILOS], weighs(grams("1", "m")), []),
    (
        "a decimal",
        [RISK],
        {
            "resourceType": "RiskAssessment",
            "prediction": [{"probabilityDecimal": Decimal("100.1")}],
        },
        [("error", "too-high", "RiskAssessment.prediction[0].probability.ofType(decimal)")],
    ),
    (
        "what is said of an item is not said of the items within",
        QUESTION,
        {"resourceType": "Questionnaire", "item": [{"text": "a", "item": [{"linkId": "1.1"}]}]},
        [],
    ),
    (
        "what is said of any resource in a Bundle",
        [{"path": "Bundle.entry.resource.id", "min": 1}],
        bundle("Group"),
        [("error", "too-few", "Bundle.entry[0].resource.id")],
    ),
    (
        "an invariant may begin with its type",
        [
            {
                "path": "Patient",
                "constraint": [
                    {
                        "key": "x-2",
                        "severity": "error",
                        "human": "is named",
                        "expression": "Patient.name.exists() and %resource.name.count() = 1",
                    }
                ],
            }
        ],
        {"resourceType": "Patient", "name": [{"family": "A"}]},
        [],
    ),
    ("an invariant knows its place", [PATIENT_IN_BUNDLE], bundle("Patient"), []),
    (
        "an invariant that fails",
        [PATIENT_IN_BUNDLE],
        bundle("Group"),
        [("error", "constraint", "Bundle.entry[0].resource")],
    ),
]


@pytest.mark.parametrize(
    ("elements", "instance", "expected"), [pytest.param(*case, id=name) for name, *case in CASES]
)
def test_what_an_element_definition_says(
    elements: list[Data], instance: Data, expected: list[Told]
) -> None:
    profile = definition("it", instance["resourceType"], *elements)
    assert told(shelved(profile), "it", instance) == expected
