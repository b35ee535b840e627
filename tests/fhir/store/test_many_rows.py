"""More rows than one statement carries are still written all or none."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import psycopg
import pytest
from tests.fhir.resources import as_json, observation, patient

from serai.fhir import body
from serai.fhir.store import tables
from serai.fhir.store.rows import Row, make
from serai.kernel.actor import serai_itself
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
JSON = {"content-type": "application/fhir+json"}


def a_row(id: str) -> Row:
    given = body.of(patient(id=id))
    return make(given, id=id, version=1, at=NOON, method="POST", owner=None, base="")


async def test_a_transaction_of_many_resources_is_answered_in_the_order_asked(
    fhir: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST_AT_ONCE", 2)
    await fhir.put("Patient/p1", content=as_json(patient(id="p1")), headers=JSON)
    texts = [f"note {number}" for number in range(7)]
    entries = [
        {
            "resource": observation("Patient/p1") | {"note": [{"text": text}]},
            "request": {"method": "POST", "url": "Observation"},
        }
        for text in texts
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = await fhir.post("", content=as_json(bundle), headers=JSON)
    assert answer.status_code == 200, answer.text
    written = [one["resource"]["note"][0]["text"] for one in answer.json()["entry"]]
    assert written == texts
    found = (await fhir.get("Observation?subject=Patient/p1&_count=50")).json()
    assert len(found["entry"]) == 7


async def test_what_fails_in_a_later_statement_takes_back_the_earlier_ones(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST_AT_ONCE", 1)
    rows = [a_row("p1"), a_row("p2"), a_row("p2")]
    async with db.connection() as connection:
        with pytest.raises(psycopg.errors.UniqueViolation):
            await tables.write(
                connection, tables.INSERT_NEW, rows, act="fhir.create", actor=serai_itself
            )
        for table in ("fhir_resource", "fhir_string", "audit_event"):
            cursor = await connection.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
            assert await cursor.fetchone() == (0,), table
