"""The FHIR rows of the benchmark: seeded data, and for each row a request with its known answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

PATIENTS = 200
ENCOUNTERS_EACH = 6
OBSERVATIONS_EACH = 48
FAMILIES = 20
LOINC = "http://loinc.org"
CODES = ("8867-4", "8480-6", "8462-4", "8310-5", "29463-7", "2339-0", "2708-6", "9279-1")
MRN = "urn:serai:bench"

Json = dict[str, Any]
Act = Callable[[int], Awaitable[None]]


def a_patient(number: int) -> Json:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": MRN, "value": f"MRN{number}"}],
        "name": [{"family": f"Bench{number % FAMILIES}", "given": ["Ana"]}],
        "birthDate": f"19{number % 80 + 10}-03-15",
    }


def an_encounter(patient: str, number: int) -> Json:
    act_code = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": act_code, "code": "AMB"},
        "subject": {"reference": patient},
        "period": {"start": f"2020-0{number % 6 + 1}-15", "end": f"2020-0{number % 6 + 1}-15"},
    }


def an_observation(patient: str, number: int) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": CODES[number % 8]}]},
        "subject": {"reference": patient},
        "effectiveDateTime": f"{2019 + number // 8 % 6}-{number % 12 + 1:02d}-15T08:00:00Z",
        "valueQuantity": {
            "value": 60 + number % 40,
            "unit": "/min",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
    }


def posting(resource: Json, url: str | None = None) -> Json:
    entry: Json = {
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
    }
    return entry | ({"fullUrl": url} if url else {})


class FhirRows:
    """`seed` first, then `rows` by name."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.http = session
        self.patients: list[str] = []
        self.observations: list[str] = []

    async def seed(self) -> None:
        for number in range(PATIENTS):
            ours = "urn:uuid:00000000-0000-4000-8000-000000000000"
            entries = [posting(a_patient(number), ours)]
            entries += [posting(an_encounter(ours, n)) for n in range(ENCOUNTERS_EACH)]
            entries += [posting(an_observation(ours, n)) for n in range(OBSERVATIONS_EACH)]
            made = await self.transaction(entries)
            self.patients.append(made[0])
            self.observations += made[1 + ENCOUNTERS_EACH :]

    async def transaction(self, entries: list[Json]) -> list[str]:
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        async with self.http.post("/fhir", json=bundle) as answer:
            body = await answer.json(content_type=None)
            assert answer.status == 200, body
            locations = [one["response"]["location"] for one in body["entry"]]
            return [location.partition("/_history")[0] for location in locations]

    def rows(self) -> dict[str, Act]:
        return {
            "read": self.read,
            "create Observation": self.create,
            "update Observation": self.update,
            "search Patient?identifier": self.by_identifier,
            "search Patient?family (10 hits)": self.by_family,
            "search Observation?subject&code&date": self.by_code_and_date,
            "search Observation?subject:Patient.identifier&code": self.chained,
            "search Patient?identifier&_has:Observation": self.has,
            "search Encounter?subject&_include": self.include,
            "search Observation?subject&_sort=-date&_count=10": self.sorted,
            "transaction Patient+Observation": self.two,
            "Patient/$everything (55)": self.everything,
        }

    def patient(self, number: int) -> str:
        return self.patients[number * 7919 % PATIENTS]

    async def read(self, number: int) -> None:
        wanted = self.observations[number * 7919 % len(self.observations)]
        async with self.http.get(f"/fhir/{wanted}") as answer:
            assert wanted.partition("/")[2].encode() in await answer.read()

    async def create(self, number: int) -> None:
        note = an_observation(self.patient(number), 1) | {"effectiveDateTime": "2010-01-01"}
        async with self.http.post("/fhir/Observation", json=note) as answer:
            assert answer.status == 201, await answer.text()
            await answer.read()

    async def update(self, number: int) -> None:
        index = number * 7919 % len(self.observations)
        wanted = self.observations[index]
        patient = self.patients[index // OBSERVATIONS_EACH]
        note = an_observation(patient, index % OBSERVATIONS_EACH)
        note["id"] = wanted.partition("/")[2]
        async with self.http.put(f"/fhir/{wanted}", json=note) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()

    async def expect(self, query: str, total: int) -> None:
        async with self.http.get(f"/fhir/{query}") as answer:
            body = await answer.json(content_type=None)
            assert len(body.get("entry", [])) == total, (query, body)

    async def by_identifier(self, number: int) -> None:
        value = number * 7919 % PATIENTS
        await self.expect(f"Patient?identifier={MRN}|MRN{value}", 1)

    async def by_family(self, number: int) -> None:
        await self.expect(f"Patient?family=bench{number % 10 + 10}", PATIENTS // FAMILIES)

    async def by_code_and_date(self, number: int) -> None:
        since = f"ge{2019 + number % 6}-01-01"
        query = f"subject={self.patient(number)}&code={LOINC}|{CODES[number % 8]}&date={since}"
        await self.expect(f"Observation?{query}&_count=100", 6 - number % 6)

    async def chained(self, number: int) -> None:
        value = number * 7919 % PATIENTS
        query = f"subject:Patient.identifier={MRN}|MRN{value}&code=8480-6&date=ge2019"
        await self.expect(f"Observation?{query}&_count=100", 6)

    async def has(self, number: int) -> None:
        value = number * 7919 % PATIENTS
        query = f"identifier={MRN}|MRN{value}&_has:Observation:subject:code=8480-6"
        await self.expect(f"Patient?{query}", 1)

    async def include(self, number: int) -> None:
        query = f"subject={self.patient(number)}&_include=Encounter:subject&_count=50"
        await self.expect(f"Encounter?{query}", ENCOUNTERS_EACH + 1)

    async def sorted(self, number: int) -> None:
        await self.expect(f"Observation?subject={self.patient(number)}&_sort=-date&_count=10", 10)

    async def two(self, number: int) -> None:
        ours = "urn:uuid:00000000-0000-4000-8000-000000000000"
        patient = a_patient(1_000_000 + number) | {"name": [{"family": "Other"}]}
        note = an_observation(ours, 1) | {"effectiveDateTime": "2010-01-01"}
        made = await self.transaction([posting(patient, ours), posting(note)])
        assert len(made) == 2

    async def everything(self, number: int) -> None:
        async with self.http.get(f"/fhir/{self.patient(number)}/$everything?_count=1000") as answer:
            body = await answer.json(content_type=None)
            assert len(body["entry"]) >= 1 + ENCOUNTERS_EACH + OBSERVATIONS_EACH, len(body["entry"])
