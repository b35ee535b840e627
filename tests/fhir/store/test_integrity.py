"""What others refer to cannot be deleted, alone, by condition or in a transaction."""

from __future__ import annotations

import httpx
import pytest
from tests.fhir.bundle.test_transaction import entry, send, statuses
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, observation, patient

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.store.integrity import REFERRING, pointing_to
from serai.platform.db import Database

JSON = {"content-type": "application/fhir+json"}


async def put(fhir: httpx.AsyncClient, *resources: Data) -> None:
    for one in resources:
        address = f"{one['resourceType']}/{one['id']}"
        answer = await fhir.put(address, content=as_json(one), headers=JSON)
        assert answer.is_success, answer.text


async def test_a_patient_with_a_record_stays_until_the_record_is_gone(
    fhir: httpx.AsyncClient,
) -> None:
    await put(fhir, patient(id="p"), observation("Patient/p", id="o"))
    refused = await fhir.delete("Patient/p")
    assert refused.status_code == 409
    assert "o" not in refused.json()["issue"][0]["diagnostics"].split()
    assert (await fhir.get("Patient/p")).status_code == 200
    assert (await fhir.delete("Observation/o")).status_code == 204
    assert (await fhir.delete("Patient/p")).status_code == 204


async def test_a_referrer_that_points_elsewhere_by_now_holds_nothing(
    fhir: httpx.AsyncClient,
) -> None:
    await put(fhir, patient(id="p"), observation("Patient/p", id="o"), observation(id="o"))
    assert (await fhir.delete("Patient/p")).status_code == 204


async def test_what_refers_to_itself_can_be_deleted(fhir: httpx.AsyncClient) -> None:
    link = [{"other": {"reference": "Patient/p"}, "type": "seealso"}]
    await put(fhir, patient(id="p", link=link))
    assert (await fhir.delete("Patient/p")).status_code == 204


async def test_an_audit_of_the_past_does_not_hold_the_present(fhir: httpx.AsyncClient) -> None:
    told = {
        "resourceType": "Provenance",
        "id": "told",
        "target": [{"reference": "Patient/p"}],
        "recorded": "2026-01-01T00:00:00Z",
        "agent": [{"who": {"display": "x"}}],
    }
    await put(fhir, patient(id="p"), told)
    assert (await fhir.delete("Patient/p")).status_code == 204


async def test_an_invisible_referrer_is_not_described(
    fhir: httpx.AsyncClient, as_actor: Client
) -> None:
    county, lead = as_actor(doctor("county")), as_actor(doctor("lead"))
    await put(county, {"resourceType": "Group", "id": "g", "type": "person", "actual": True})
    focused = observation(id="secret", focus=[{"reference": "Group/g"}])
    await put(lead, focused)
    refused = await county.delete("Group/g")
    assert refused.status_code == 409
    assert "Observation" not in refused.text
    assert "secret" not in refused.text


async def test_a_transaction_may_delete_both_but_leaves_nothing_dangling(
    fhir: httpx.AsyncClient,
) -> None:
    await put(fhir, patient(id="p"), observation("Patient/p", id="o"))
    new = await send(
        fhir,
        "transaction",
        entry("DELETE", "Patient/p"),
        entry("DELETE", "Observation/o"),
        entry("POST", "Observation", observation("Patient/p")),
    )
    assert new.status_code == 409
    assert (await fhir.get("Observation/o")).status_code == 200
    both = await send(
        fhir, "transaction", entry("DELETE", "Patient/p"), entry("DELETE", "Observation/o")
    )
    assert statuses(both) == ["204", "204"]


async def test_conditional_delete_takes_every_match_or_none(fhir: httpx.AsyncClient) -> None:
    await put(fhir, patient(id="p"))
    await put(fhir, *(observation("Patient/p", id=f"o{n}") for n in range(3)))
    blocking = {"resourceType": "DiagnosticReport", "id": "r", "status": "final",
                "code": {"text": "x"}, "result": [{"reference": "Observation/o1"}]}  # fmt: skip
    await put(fhir, blocking)
    assert (await fhir.delete("Observation?subject=Patient/p")).status_code == 409
    assert (await fhir.get("Observation?subject=Patient/p")).json()["total"] == 3
    await fhir.delete("DiagnosticReport/r")
    assert (await fhir.delete("Observation?subject=Patient/p")).status_code == 204
    assert (await fhir.get("Observation?subject=Patient/p")).json()["total"] == 0
    assert (await fhir.delete("Observation?subject=Patient/p")).status_code == 204
    assert (await fhir.get("Observation/o0/_history")).json()["entry"][0]["request"] == {
        "method": "DELETE",
        "url": "Observation/o0",
    }


@pytest.mark.parametrize("kind", ["Patient", "Observation", "Organization", "Endpoint"])
def test_every_type_that_may_refer_is_asked(kind: str) -> None:
    sources = {source for source, _ in pointing_to(kind)}
    assert sources <= RESOURCE_TYPES - {"Provenance", "AuditEvent"}
    expected = {"Patient": "Observation", "Observation": "DiagnosticReport",
                "Organization": "Patient", "Endpoint": "ImagingStudy"}[kind]  # fmt: skip
    assert expected in sources


@pytest.mark.parametrize("statistics", ["", "ANALYZE fhir_resource"])
async def test_referrers_are_looked_up_in_the_index(db: Database, statistics: str) -> None:
    async with db.connection() as c:
        await c.execute(
            "INSERT INTO fhir_resource (type, id, version, last_updated, method, keys, content)"
            " SELECT 'Observation', 'o' || n, 1, now(), 'POST', ARRAY[1, 2, 3, n + 10],"
            " convert_to(repeat('x', 300), 'UTF8') FROM generate_series(1, 20000) AS n"
        )
        if statistics:
            await c.execute(statistics)
        asked = REFERRING.replace("%(keys)s", "$1")
        plan = await (await c.execute(f"EXPLAIN (GENERIC_PLAN) {asked}")).fetchall()
    assert "fhir_resource_keys" in str(plan)
    assert "Seq Scan" not in str(plan)
