"""Small code systems, value sets and maps for tests, fictional throughout."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.fhir.conftest import MACHINE

from serai.fhir.body import of
from serai.fhir.store import FhirStore
from serai.platform.db import Database

Data = dict[str, Any]

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ILLS = "http://example.org/ills"


def code_system(url: str, concepts: Sequence[Data], **more: Any) -> Data:
    return {
        "resourceType": "CodeSystem",
        "id": url.rpartition("/")[2],
        "url": url,
        "status": "active",
        "content": "complete",
        "concept": list(concepts),
        **more,
    }


def value_set(url: str, *include: Data, **more: Any) -> Data:
    compose: Data = {"include": list(include)}
    if "exclude" in more:
        compose["exclude"] = more.pop("exclude")
    return {
        "resourceType": "ValueSet",
        "id": url.rpartition("/")[2],
        "url": url,
        "status": "active",
        "compose": compose,
        **more,
    }


ILLNESSES = code_system(
    ILLS,
    [
        {
            "code": "diabetes",
            "display": "Diabetes mellitus",
            "designation": [{"language": "zh", "value": "糖尿病"}],
            "concept": [
                {"code": "t1", "display": "Type 1 diabetes"},
                {
                    "code": "t2",
                    "display": "Type 2 diabetes",
                    "property": [{"code": "chronic", "valueBoolean": True}],
                    "concept": [{"code": "t2k", "display": "Type 2 with nephropathy"}],
                },
            ],
        },
        {
            "code": "meniere",
            "display": "Ménière's disease",
            "property": [{"code": "organ", "valueString": "ear"}],
        },
        {
            "code": "dropsy",
            "display": "Dropsy",
            "property": [{"code": "status", "valueCode": "retired"}],
        },
    ],
    version="1",
    name="Ills",
    valueSet=f"{ILLS}/all",
)


async def keep(db: Database, store: FhirStore, *resources: Data) -> None:
    async with db.transaction() as tx:
        for one in resources:
            await store.update(tx, of(one), actor=MACHINE, now=NOON)


def filtered(op: str, value: str, property: str = "concept", system: str = ILLS) -> Data:
    return {"system": system, "filter": [{"property": property, "op": op, "value": value}]}
