"""R4 §2.3 and §5.2 (`referencePolicy`): what is asked of a reference that is written."""

from __future__ import annotations

import httpx
import pytest
from tests.fhir.bundle.test_transaction import entry, send, statuses
from tests.fhir.resources import Data, as_json, observation, patient

JSON = {"content-type": "application/fhir+json"}

KEPT: list[tuple[str, Data, str]] = [
    ("to what is not there (yet)", {"reference": "Patient/nobody"}, "subject=Patient/nobody"),
    ("to another server", {"reference": "http://other.test/fhir/Patient/1"},
     "subject=http://other.test/fhir/Patient/1"),
    ("by identifier alone", {"identifier": {"system": "urn:mrn", "value": "9"}},
     "subject:identifier=urn:mrn|9"),
    ("by name alone", {"display": "Li Mei"}, ""),
]  # fmt: skip


async def test_the_policy_says_literal_and_logical_and_promises_nothing_more(
    fhir: httpx.AsyncClient,
) -> None:
    body = (await fhir.get("metadata")).json()
    for one in body["rest"][0]["resource"]:
        assert one["referencePolicy"] == ["literal", "logical"]


@pytest.mark.parametrize(
    ("subject", "query"), [one[1:] for one in KEPT], ids=[one[0] for one in KEPT]
)
async def test_a_reference_is_kept_as_sent_and_searched_by(
    fhir: httpx.AsyncClient, subject: Data, query: str
) -> None:
    sent = observation(id="o") | {"subject": subject}
    answer = await fhir.put("Observation/o", content=as_json(sent), headers=JSON)
    assert answer.status_code == 201, answer.text
    assert (await fhir.get("Observation/o")).json()["subject"] == subject
    found = (await fhir.get(f"Observation?{query}")).json()
    assert [one["resource"]["id"] for one in found["entry"]] == ["o"]


async def test_what_was_missing_is_there_once_it_comes(fhir: httpx.AsyncClient) -> None:
    sent = observation("Patient/late", id="o")
    await fhir.put("Observation/o", content=as_json(sent), headers=JSON)
    alone = (await fhir.get("Observation?_include=Observation:subject")).json()
    assert [one["resource"]["id"] for one in alone["entry"]] == ["o"]
    await fhir.put("Patient/late", content=as_json(patient(id="late")), headers=JSON)
    both = (await fhir.get("Observation?_include=Observation:subject")).json()
    assert [one["resource"]["id"] for one in both["entry"]] == ["o", "late"]


async def test_a_transaction_that_refers_to_an_entry_it_does_not_hold_is_refused(
    fhir: httpx.AsyncClient,
) -> None:
    unknown = "urn:uuid:9c2b7c9e-3b4c-4b4e-8f43-0a1c0f6d2b55"
    refused = await send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient()),
        entry("POST", "Observation", observation(unknown)),
    )
    assert refused.status_code in (400, 422), refused.text
    assert unknown in refused.text
    assert "entry" not in (await fhir.get("Patient")).json()


async def test_a_transaction_cannot_delete_what_another_of_its_entries_refers_to(
    fhir: httpx.AsyncClient,
) -> None:
    await fhir.put("Patient/p", content=as_json(patient(id="p")), headers=JSON)
    for method, url, body in (
        ("POST", "Observation", observation("Patient/p")),
        ("PUT", "Observation/o", observation("Patient/p", id="o")),
    ):
        refused = await send(
            fhir, "transaction", entry(method, url, body), entry("DELETE", "Patient/p")
        )
        assert refused.status_code == 409, refused.text
        assert (await fhir.get("Patient/p")).status_code == 200
        assert "entry" not in (await fhir.get("Observation")).json()


async def test_a_transaction_that_moves_the_reference_away_may_delete(
    fhir: httpx.AsyncClient,
) -> None:
    await fhir.put("Patient/p", content=as_json(patient(id="p")), headers=JSON)
    await fhir.put("Observation/o", content=as_json(observation("Patient/p", id="o")), headers=JSON)
    answer = await send(
        fhir, "transaction", entry("DELETE", "Patient/p"),
        entry("PUT", "Observation/o", observation("Group/g", id="o")),
    )  # fmt: skip
    assert sorted(statuses(answer)) == ["200", "204"]
