"""The requests of the growth curve: the same at every size, each with its known answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from tools.bench_fhir import posting
from tools.bench_population import (
    CODES,
    EACH,
    ENCOUNTERS,
    LOINC,
    MRN,
    OBSERVATIONS,
    ORGANISATIONS,
    SAME_FAMILY,
    a_patient,
    an_observation,
    family,
    id_of,
    observation_id,
)

Json = dict[str, Any]
OURS = "urn:uuid:00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Request:
    """`hits` is the number of entries in the answer; None where it is no searchset."""

    method: str
    path: str
    hits: int | None = None
    body: bytes | None = None

    async def send(self, http: aiohttp.ClientSession) -> None:
        headers = {"Content-Type": "application/fhir+json"} if self.body else None
        path = f"/fhir/{self.path}".removesuffix("/")
        async with http.request(self.method, path, data=self.body, headers=headers) as answer:
            content = await answer.read()
            assert answer.status < 300, (self.path, answer.status, content)
        if self.hits is not None:
            found = len(msgspec.json.decode(content).get("entry", []))
            assert found == self.hits, (self.path, found, self.hits)


@dataclass(frozen=True)
class Asker:
    """A system-wide client, or one organisation's, which asks about its own patients only."""

    patients: int
    organisation: int | None = None

    def patient(self, number: int) -> int:
        if self.organisation is None:
            return number * 7919 % self.patients
        own = range(self.organisation, self.patients, ORGANISATIONS)
        return own[number * 7919 % len(own)]

    def rows(self) -> dict[str, Callable[[int], Request]]:
        return self.looking() | self.writing()

    def writing(self) -> dict[str, Callable[[int], Request]]:
        return {
            "create Observation": self.create,
            "update Observation": self.update,
            "transaction Patient+Observation": self.two,
        }

    def looking(self) -> dict[str, Callable[[int], Request]]:
        return {
            "read": self.read,
            "Patient?identifier": self.by_identifier,
            "Patient?family": self.by_family,
            "Observation?subject&code&date": self.by_code_and_date,
            "Observation?subject:Patient.identifier&code": self.chained,
            "Patient?identifier&_has:Observation": self.has,
            "Encounter?subject&_include": self.include,
            "Observation?subject&_sort=-date&_count=10": self.sorted,
            f"Patient/$everything ({EACH})": self.everything,
            "Observation?code&_count=20": self.token_only,
            "Observation?date&_count=20": self.date_only,
            "Patient?_count=20": self.some_patients,
            "Observation?_sort=-_lastUpdated&_count=20": self.newest,
            "Observation/[id]/_history": self.history,
            "Observation/_history?_count=20": self.history_of_type,
        }

    def some(self, all_of_them: int, own: int) -> int:
        """A page holds 20; a small store has fewer for one organisation."""
        return min(20, all_of_them if self.organisation is None else own)

    @property
    def own(self) -> int:
        return len(range(self.organisation or 0, self.patients, ORGANISATIONS))

    def read(self, number: int) -> Request:
        id = observation_id(self.patient(number), number % OBSERVATIONS)
        return Request("GET", f"Observation/{id}")

    def create(self, number: int) -> Request:
        note = an_observation(self.patient(number), 1) | {"effectiveDateTime": "2010-01-01"}
        note.pop("encounter")
        return Request("POST", "Observation", body=msgspec.json.encode(note))

    def update(self, number: int) -> Request:
        patient, place = self.patient(number), number % OBSERVATIONS
        note = an_observation(patient, place) | {"id": observation_id(patient, place)}
        return Request("PUT", f"Observation/{note['id']}", body=msgspec.json.encode(note))

    def by_identifier(self, number: int) -> Request:
        return Request("GET", f"Patient?identifier={MRN}|MRN{self.patient(number)}", 1)

    def by_family(self, number: int) -> Request:
        """The name pool grows with the patients; an organisation keeps one of the fifteen."""
        hits = SAME_FAMILY if self.organisation is None else 1
        name = family(self.patient(number)).lower()
        return Request("GET", f"Patient?family={name}&_count=20", hits)

    def by_code_and_date(self, number: int) -> Request:
        query = (
            f"subject=Patient/{id_of(self.patient(number))}&code={LOINC}|{CODES[number % 8]}"
            f"&date=ge{2019 + number % 6}-01-01&_count=100"
        )
        return Request("GET", f"Observation?{query}", 6 - number % 6)

    def chained(self, number: int) -> Request:
        identifier = f"{MRN}|MRN{self.patient(number)}"
        query = f"subject:Patient.identifier={identifier}&code=8480-6&date=ge2019&_count=100"
        return Request("GET", f"Observation?{query}", 6)

    def has(self, number: int) -> Request:
        identifier = f"{MRN}|MRN{self.patient(number)}"
        query = f"identifier={identifier}&_has:Observation:subject:code=8480-6"
        return Request("GET", f"Patient?{query}", 1)

    def include(self, number: int) -> Request:
        query = f"subject=Patient/{id_of(self.patient(number))}&_include=Encounter:subject"
        return Request("GET", f"Encounter?{query}&_count=50", ENCOUNTERS + 1)

    def sorted(self, number: int) -> Request:
        query = f"subject=Patient/{id_of(self.patient(number))}&_sort=-date&_count=10"
        return Request("GET", f"Observation?{query}", 10)

    def two(self, number: int) -> Request:
        patient = a_patient(self.patient(number)) | {"name": [{"family": "Other"}]}
        patient["identifier"] = [{"system": MRN, "value": f"NEW{number}"}]
        note = an_observation(0, 1) | {
            "effectiveDateTime": "2010-01-01",
            "subject": {"reference": OURS},
        }
        note.pop("encounter")
        entries = [posting(patient, OURS), posting(note)]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        return Request("POST", "", body=msgspec.json.encode(bundle))

    def everything(self, number: int) -> Request:
        return Request("GET", f"Patient/{id_of(self.patient(number))}/$everything?_count=1000")

    def token_only(self, number: int) -> Request:
        hits = self.some(20, self.own * 6)
        return Request(
            "GET", f"Observation?code={LOINC}|{CODES[2 + number % 6]}&_count=20",
            hits if self.organisation is None else None,
        )  # fmt: skip

    def date_only(self, number: int) -> Request:
        since = f"ge{2021 + number % 3}-0{number % 9 + 1}"
        return Request("GET", f"Observation?date={since}&_count=20")

    def some_patients(self, _number: int) -> Request:
        return Request("GET", "Patient?_count=20")

    def newest(self, _number: int) -> Request:
        return Request("GET", "Observation?_sort=-_lastUpdated&_count=20")

    def history(self, number: int) -> Request:
        id = observation_id(self.patient(number), number % OBSERVATIONS)
        return Request("GET", f"Observation/{id}/_history?_count=20")

    def history_of_type(self, _number: int) -> Request:
        return Request("GET", "Observation/_history?_count=20")
