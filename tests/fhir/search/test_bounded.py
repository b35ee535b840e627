"""A search that would take too long ends with a clear answer, and its statement with it."""

from __future__ import annotations

import httpx
import pytest

from serai.fhir.search import bounded
from serai.platform.db import Database

RUNNING = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"""


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "address",
    ["Patient?gender=male", "Patient?_sort=gender", "Patient?_summary=count",
     "Patient?name:contains=x", "Patient?_has:Observation:subject:code=x",
     "Observation?subject:Patient.gender=male", "Observation?value-quantity=gt5"],
)  # fmt: skip
async def test_a_search_that_takes_too_long_is_stopped(
    fhir: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    assert (await fhir.get(address)).status_code == 200
    monkeypatch.setattr(bounded, "LONGEST_S", 0.2)
    async with db.transaction() as other:
        await other.execute("LOCK TABLE fhir_resource, fhir_quantity, fhir_string")
        refused = await fhir.get(address)
        assert refused.status_code == 413, refused.text
        assert refused.json()["issue"][0]["code"] == "too-costly"
        row = await (await other.execute(RUNNING)).fetchone()
        assert row == (0,)
    assert (await fhir.get(address)).status_code == 200
