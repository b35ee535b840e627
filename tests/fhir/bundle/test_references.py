"""What the entries of a transaction say of each other becomes an address (R4 §3.1.0.11.2)."""

from __future__ import annotations

import httpx
import pytest
from tests.fhir.bundle.test_transaction import PATIENT_URL, count, entry, send, statuses
from tests.fhir.resources import Data, as_json, observation, patient

JSON = {"content-type": "application/fhir+json"}
NUMBER = "identifier=urn:mrn|1"


def numbered(value: str = "1", **more: str) -> Data:
    return patient(identifier=[{"system": "urn:mrn", "value": value}], **more)


async def read(fhir: httpx.AsyncClient, answer: httpx.Response, position: int) -> Data:
    location = answer.json()["entry"][position]["response"]["location"]
    found: Data = (await fhir.get(location)).json()
    return found


@pytest.mark.parametrize(
    ("method", "url", "more", "reference"),
    [
        ("POST", "Patient", {}, f"Patient?{NUMBER}"),
        ("POST", "Patient", {}, "Patient?identifier=1"),
        ("POST", "Patient", {}, "Patient?identifier=urn:mrn|2,urn:mrn|1&gender=female"),
        ("POST", "Patient", {"ifNoneExist": NUMBER}, f"Patient?{NUMBER}"),
        ("POST", "Patient", {"ifNoneExist": "family=Li&given=Mei"}, "Patient?given=Mei&family=Li"),
        ("PUT", f"Patient?{NUMBER}", {}, f"Patient?{NUMBER}"),
        ("PUT", "Patient?family=Li", {}, "Patient?family=Li"),
    ],
)
async def test_a_conditional_reference_means_what_the_same_transaction_creates(
    fhir: httpx.AsyncClient, method: str, url: str, more: Data, reference: str
) -> None:
    answer = await send(
        fhir,
        "transaction",
        entry("POST", "Observation", observation(reference)),
        entry(method, url, numbered(gender="female"), **more),
    )
    assert statuses(answer) == ["201", "201"]
    made = await read(fhir, answer, 1)
    subject = (await read(fhir, answer, 0))["subject"]["reference"]
    assert subject == f"Patient/{made['id']}"


async def test_a_conditional_create_that_finds_the_patient_is_the_one_referred_to(
    fhir: httpx.AsyncClient,
) -> None:
    await fhir.put("Patient/p", content=as_json(numbered(id="p")), headers=JSON)
    answer = await send(
        fhir,
        "transaction",
        entry("POST", "Observation", observation(f"Patient?{NUMBER}")),
        entry("POST", "Patient", numbered(), ifNoneExist=NUMBER),
    )
    assert statuses(answer) == ["201", "200"]
    assert (await read(fhir, answer, 0))["subject"]["reference"] == "Patient/p"


@pytest.mark.parametrize(
    ("patients", "status"),
    [
        ([entry("POST", "Patient", numbered("2"))], 412),
        ([entry("POST", "Patient", numbered()), entry("POST", "Patient", numbered())], 412),
        ([entry("POST", "Patient", numbered()), entry("DELETE", "Patient/p")], 200),
        ([entry("DELETE", "Patient/p")], 412),
        ([entry("POST", "Patient", numbered())], 412),
    ],
)
async def test_a_conditional_reference_means_exactly_one_resource(
    fhir: httpx.AsyncClient, patients: list[Data], status: int
) -> None:
    is_there = any(one["request"]["method"] == "DELETE" for one in patients) or len(patients) == 1
    if is_there and patients[0].get("resource") != numbered("2"):
        await fhir.put("Patient/p", content=as_json(numbered(id="p")), headers=JSON)
    before = await count(fhir, "Patient")
    referring = entry("POST", "Observation", observation(f"Patient?{NUMBER}"))
    answer = await send(fhir, "transaction", referring, *patients)
    assert answer.status_code == status, answer.text
    assert await count(fhir, "Observation") == (1 if status == 200 else 0)
    assert await count(fhir, "Patient") == before


@pytest.mark.parametrize("quote", ['"', "'"])
async def test_links_of_the_narrative_and_fragments_follow(
    fhir: httpx.AsyncClient, quote: str
) -> None:
    q = quote
    div = (
        f'<div xmlns="http://www.w3.org/1999/xhtml"><a href={q}{PATIENT_URL}{q}>who</a>'
        f"<a href={q}{PATIENT_URL}#name{q}>name</a><p>{PATIENT_URL}</p>"
        f"<a href={q}urn:uuid:7a1c2d6e-0000-4000-8000-00000000ffff{q}>other</a></div>"
    )
    told = observation(
        PATIENT_URL,
        text={"status": "generated", "div": div},
        focus=[{"reference": f"{PATIENT_URL}#c1"}],
        note=[{"text": f'<a href="{PATIENT_URL}">'}],
    )
    answer = await send(
        fhir,
        "transaction",
        entry("POST", "Observation", told),
        entry("POST", "Patient", patient(), full_url=PATIENT_URL),
    )
    assert statuses(answer) == ["201", "201"]
    kept = await read(fhir, answer, 0)
    place = kept["subject"]["reference"]
    assert place.startswith("Patient/")
    links = (f"href={q}{PATIENT_URL}{q}", f"href={q}{PATIENT_URL}#name{q}")
    expected = div.replace(links[0], f"href={q}{place}{q}")
    assert kept["text"]["div"] == expected.replace(links[1], f"href={q}{place}#name{q}")
    assert kept["focus"] == [{"reference": f"{place}#c1"}]
    assert kept["note"][0]["text"] == f'<a href="{PATIENT_URL}">'
