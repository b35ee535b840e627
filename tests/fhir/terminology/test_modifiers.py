"""R4 §3.1.1.4.10: codes found through value sets and hierarchies, also at the end of a chain."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from tests.fhir.resources import Data, patient
from tests.fhir.terminology.vocabulary import ILLNESSES, ILLS, filtered, keep, value_set

from serai.fhir.store import FhirStore
from serai.fhir.terminology.modifiers import expand
from serai.platform.db import Database

VS = "http://example.org/types"


def condition(code: str) -> Data:
    return {
        "resourceType": "Condition",
        "id": f"c-{code}",
        "code": {"coding": [{"system": ILLS, "code": code}]},
        "subject": {"reference": f"Patient/p-{code}"},
    }


def encounter(code: str) -> Data:
    return {
        "resourceType": "Encounter",
        "id": f"e-{code}",
        "status": "finished",
        "class": {"code": "AMB"},
        "reasonReference": [{"reference": f"Condition/c-{code}"}],
    }


CODES = ("diabetes", "t2", "t2k", "meniere")
RECORD = [
    ILLNESSES,
    value_set(VS, filtered("descendent-of", "diabetes")),
    *(patient(id=f"p-{code}") for code in CODES),
    *(condition(code) for code in CODES),
    *(encounter(code) for code in CODES),
]


@pytest.fixture
async def ward(fhir: httpx.AsyncClient, db: Database, store: FhirStore) -> httpx.AsyncClient:
    store.expand = expand
    await keep(db, store, *RECORD)
    return fhir


@pytest.mark.parametrize(
    ("where", "param", "value", "expected"),
    [
        ("Condition", "code:in", VS, "c-t2 c-t2k"),
        ("Condition", "code:in", "ValueSet/types", "c-t2 c-t2k"),
        ("Condition", "code:not-in", VS, "c-diabetes c-meniere"),
        ("Condition", "code:below", f"{ILLS}|t2", "c-t2 c-t2k"),
        ("Condition", "code:above", f"{ILLS}|t2", "c-diabetes c-t2"),
        ("Condition", "code:below", f"{ILLS}|nothing", ""),
        ("Encounter", "reason-reference:Condition.code:in", VS, "e-t2 e-t2k"),
        ("Encounter", "reason-reference:Condition.code:not-in", VS, "e-diabetes e-meniere"),
        ("Encounter", "reason-reference:Condition.code:below", f"{ILLS}|t2", "e-t2 e-t2k"),
        ("Encounter", "reason-reference:Condition.code:above", f"{ILLS}|t2", "e-diabetes e-t2"),
        ("Patient", "_has:Condition:subject:code:in", VS, "p-t2 p-t2k"),
        ("Patient", "_has:Condition:subject:code:not-in", VS, "p-diabetes p-meniere"),
        ("Patient", "_has:Condition:subject:code:below", f"{ILLS}|t2", "p-t2 p-t2k"),
        ("Patient", "_has:Condition:subject:code:above", f"{ILLS}|t2", "p-diabetes p-t2"),
    ],
)
async def test_a_modifier_finds_what_the_terminology_says(
    ward: httpx.AsyncClient, where: str, param: str, value: str, expected: str
) -> None:
    answer = await ward.get(f"{where}?{param}={quote(value)}")
    assert answer.status_code == 200, answer.text
    found = sorted(one["resource"]["id"] for one in answer.json().get("entry", []))
    assert found == expected.split()


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("code:in", "http://example.org/unknown"),
        ("code:in", "ValueSet/unknown"),
        ("code:not-in", "http://example.org/unknown"),
        ("code:below", "http://example.org/unknown|t2"),
        ("code:below", "t2"),
        ("code:above", f"{ILLS}|"),
    ],
)
async def test_what_the_terminology_does_not_know_is_refused_and_not_found_empty(
    ward: httpx.AsyncClient, param: str, value: str
) -> None:
    assert (await ward.get(f"Condition?{param}={quote(value)}")).status_code == 400
