"""A token's scopes narrow what is seen in the store's own statements (SMART App Launch v2 §3.0.1):
read, search, counts, includes, chains, history, $everything and writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from tests.fhir.conftest import MACHINE, Client

from serai.fhir.store import FhirStore
from serai.fhir.subscriptions.guarding import register_guards
from serai.kernel.actor import Actor, Kind

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
VITALS = f"patient/Observation.rs?category={CATEGORY}|vital-signs"


def a_patient(id: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": id,
        "managingOrganization": {"reference": "Organization/county"},
    }


def an_observation(id: str, patient: str, category: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": {"text": "a value"},
        "subject": {"reference": f"Patient/{patient}"},
        "performer": [{"reference": "Practitioner/li"}],
        **more,
    }


RECORD: list[dict[str, Any]] = [
    {"resourceType": "Organization", "id": "county", "name": "County"},
    {"resourceType": "Practitioner", "id": "li", "name": [{"family": "Li"}]},
    a_patient("na"),
    a_patient("bo"),
    an_observation("na-pulse", "na", "vital-signs"),
    an_observation("na-sodium", "na", "laboratory"),
    an_observation("bo-pulse", "bo", "vital-signs"),
    {
        "resourceType": "Condition",
        "id": "na-asthma",
        "subject": {"reference": "Patient/na"},
        "code": {"text": "Asthma"},
    },
    {
        "resourceType": "DiagnosticReport",
        "id": "na-report",
        "status": "final",
        "code": {"text": "a report"},
        "subject": {"reference": "Patient/na"},
        "result": [
            {"reference": "Observation/na-pulse"},
            {"reference": "Observation/na-sodium"},
        ],
    },
]


def an_app(*scopes: str, patient: str | None = "na") -> Actor:
    """Of a doctor of the county who allowed it these scopes."""
    return Actor(
        "li", Kind.STAFF, "Li", "doctor", "county", "li", frozenset(scopes), app="growth",
        patient=patient,
    )  # fmt: skip


@pytest_asyncio.fixture
async def record(as_actor: Client) -> AsyncIterator[Client]:
    entries: list[dict[str, Any]] = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in RECORD
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    async with as_actor(MACHINE) as machine:
        answer = await machine.post("", json=bundle)
        assert answer.status_code == 200, answer.text
    yield as_actor


async def found(client: httpx.AsyncClient, address: str) -> set[str]:
    answer = await client.get(f"{address}")
    assert answer.status_code == 200, answer.text
    return {
        f"{one['resource']['resourceType']}/{one['resource']['id']}"
        for one in answer.json().get("entry", ())
    }


# (scopes, what is asked, what comes)
SEEN: list[tuple[tuple[str, ...], str, set[str]]] = [
    (("patient/Observation.rs",), "Observation", {"na-pulse", "na-sodium"}),
    (("user/Observation.rs",), "Observation", {"na-pulse", "na-sodium", "bo-pulse"}),
    ((VITALS,), "Observation", {"na-pulse"}),
    ((VITALS,), "Observation?subject=Patient/na", {"na-pulse"}),
    ((VITALS,), "Observation?category=laboratory", set()),
    ((VITALS,), "Observation?_sort=-_lastUpdated", {"na-pulse"}),
    ((VITALS,), "Observation?subject=Patient/bo", set()),
    ((VITALS, "patient/Patient.rs"), "Patient", {"na"}),
    ((VITALS, "patient/Patient.rs"), "Patient?_has:Observation:subject:status=final", {"na"}),
    (("patient/Observation.r", "patient/Patient.s"), "Patient?_id=na,bo", {"na"}),
    (
        (VITALS, "patient/DiagnosticReport.rs"),
        "DiagnosticReport?_include=DiagnosticReport:result",
        {"na-report", "na-pulse"},
    ),
    (
        (VITALS, "patient/Patient.rs"),
        "Patient?_revinclude=Observation:subject",
        {"na", "na-pulse"},
    ),
    (
        ("patient/Observation.rs", "patient/Practitioner.rs"),
        "Observation?_include=Observation:performer&category=laboratory",
        {"na-sodium", "li"},
    ),
    ((VITALS, "patient/Patient.rs"), "Patient/na/$everything", {"na", "na-pulse"}),
    ((VITALS,), "Observation/_history", {"na-pulse"}),
    ((VITALS, "patient/Patient.rs"), "_history", {"na", "na-pulse"}),
    (
        (f"user/Observation.s?category={CATEGORY}|laboratory", "user/Observation.r"),
        "Observation",
        {"na-sodium"},
    ),
]


async def test_a_search_finds_what_the_scopes_cover_and_no_more(record: Client) -> None:
    for scopes, asked, wanted in SEEN:
        patient = "na" if any(one.startswith("patient/") for one in scopes) else None
        async with record(an_app(*scopes, patient=patient)) as app:
            names = await found(app, asked)
            assert {name.partition("/")[2] for name in names} == wanted, (scopes, asked)
            kind = asked.partition("?")[0]
            if kind.isalpha():
                joint = "&" if "?" in asked else "?"
                counted = (await app.get(f"{asked}{joint}_summary=count")).json()["total"]
                assert counted == sum(one.startswith(kind) for one in names), (scopes, asked)


async def test_what_a_scope_does_not_cover_is_not_there(record: Client) -> None:
    async with record(an_app(VITALS)) as app:
        assert (await app.get("Observation/na-pulse")).status_code == 200
        for absent in ("na-sodium", "bo-pulse", "nothing"):
            assert (await app.get(f"Observation/{absent}")).status_code == 404
            assert (await app.get(f"Observation/{absent}/_history/1")).status_code == 404
            assert (await app.get(f"Observation/{absent}/_history")).status_code == 404
        assert (await app.get("Condition/na-asthma")).status_code == 403


async def test_readers_with_different_scopes_do_not_share_answers(record: Client) -> None:
    """Reads that arrive together are answered by one statement for all with the same rules."""
    whole, narrow = an_app("user/Observation.rs", patient=None), an_app(VITALS)
    async with record(whole) as one, record(narrow) as other:
        assert (await one.get("Observation/bo-pulse")).status_code == 200
        assert (await other.get("Observation/bo-pulse")).status_code == 404


async def test_an_app_writes_only_inside_its_scopes(record: Client) -> None:
    writes = (f"patient/Observation.crud?category={CATEGORY}|vital-signs",)
    new = an_observation("x", "na", "vital-signs")
    del new["id"]
    async with record(an_app(*writes)) as app:
        assert (await app.post("Observation", json=new)).status_code == 201
        other = an_observation("x", "bo", "vital-signs")
        assert (await app.post("Observation", json=other)).status_code == 403
        laboratory = an_observation("x", "na", "laboratory")
        assert (await app.post("Observation", json=laboratory)).status_code == 403
        moved = an_observation("na-pulse", "na", "laboratory")
        assert (await app.put("Observation/na-pulse", json=moved)).status_code == 403
        kept = an_observation("na-pulse", "na", "vital-signs", status="amended")
        assert (await app.put("Observation/na-pulse", json=kept)).status_code == 200
        # What is not covered is as good as not there.
        assert (await app.delete("Observation/na-sodium")).status_code == 204
    async with record(MACHINE) as machine:
        assert len(await found(machine, "Observation")) == 4
        assert (await machine.get("Observation/na-sodium")).status_code == 200
        assert len(await found(machine, "Observation?category=laboratory")) == 1


async def test_reading_is_no_right_to_change(record: Client) -> None:
    scopes = ("patient/Observation.rs", f"patient/Observation.u?category={CATEGORY}|laboratory")
    changed = an_observation("na-pulse", "na", "laboratory")
    async with record(an_app(*scopes)) as app:
        assert (await app.put("Observation/na-pulse", json=changed)).status_code == 403


async def test_a_patient_scope_without_a_patient_opens_nothing(record: Client) -> None:
    async with record(an_app(VITALS, patient=None)) as app:
        assert await found(app, "Observation") == set()


async def test_an_app_leaves_no_subscription_behind(record: Client, store: FhirStore) -> None:
    register_guards(store)
    hook = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "news",
        "criteria": "Observation?status=final",
        "channel": {"type": "rest-hook", "endpoint": "https://app.example/hook"},
    }
    scopes = ("user/Subscription.cruds", "user/Observation.rs")
    async with record(an_app(*scopes, patient=None)) as app:
        assert (await app.post("Subscription", json=hook)).status_code == 403
