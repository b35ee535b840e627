"""A database of an older version finds everything again after the next start."""

from __future__ import annotations

import httpx
from tests.fhir.conftest import BASE
from tests.fhir.resources import as_json, patient

from serai.fhir.store.renewing import renew
from serai.platform.db import Database

JSON = {"content-type": "application/fhir+json"}
AS_BEFORE = "UPDATE fhir_resource SET keys = '{1,2,3}'"
WITHOUT_NAMES = "DELETE FROM fhir_string"


async def test_search_values_are_made_anew_once_when_a_migration_asks_for_it(
    db: Database, fhir: httpx.AsyncClient
) -> None:
    for number in range(3):
        sent = patient(f"Name{number}", identifier=[{"system": "urn:x", "value": str(number)}])
        await fhir.post("Patient", content=as_json(sent), headers=JSON)
    async with db.transaction() as tx:
        for statement in (AS_BEFORE, WITHOUT_NAMES, "UPDATE fhir_index SET due = true"):
            await tx.execute(statement)
    assert "entry" not in (await fhir.get("Patient?identifier=urn:x|1")).json()
    assert await renew(db, base=BASE) == 3
    for query in ("identifier=urn:x|1", "family=name1"):
        found = (await fhir.get(f"Patient?{query}")).json()["entry"]
        assert [one["resource"]["name"][0]["family"] for one in found] == ["Name1"]
    assert await renew(db, base=BASE) == 0


async def test_a_new_database_has_nothing_to_renew(db: Database) -> None:
    assert await renew(db, base=BASE) == 0
