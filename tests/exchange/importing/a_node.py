"""A Serai without its web pages, and what its imports are fed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from pydicom.data import get_testdata_file
from rich.console import Console

from serai.exchange.importing import Tally, import_into, run
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.platform.blobs import Blobs
from serai.platform.db import Database

Json = dict[str, Any]


class Node:
    """A Serai without its web pages."""

    def __init__(self, db: Database, home: Path) -> None:
        self.db = db
        self.fhir = FhirStore()
        self.archive = Archive(self.fhir, Blobs(home))
        self.said = io.StringIO()

    @property
    def console(self) -> Console:
        return Console(file=self.said, width=200)

    async def take(self, path: Path, *, organisation: str | None = None) -> Tally:
        return await import_into(
            path,
            db=self.db,
            fhir=self.fhir,
            archive=self.archive,
            organisation=organisation,
            console=self.console,
        )

    async def run(self, path: Path, *, report_to: Path | None = None) -> int:
        return await run(
            path,
            db=self.db,
            fhir=self.fhir,
            archive=self.archive,
            report_to=report_to,
            console=self.console,
        )

    async def count(self, statement: str, *values: object) -> int:
        async with self.db.connection() as connection:
            row = await (await connection.execute(statement.encode(), values)).fetchone()
        assert row is not None
        return int(row[0])

    async def resources(self, kind: str) -> int:
        return await self.count("SELECT count(*) FROM fhir_resource WHERE type = %s", kind)

    async def versions(self) -> int:
        return await self.count("SELECT count(*) FROM fhir_version")

    async def pictures(self) -> int:
        return await self.count("SELECT count(*) FROM imaging_instance")


def write(path: Path, *resources: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(resource) for resource in resources))


def patient(id: str | None = None, **more: Any) -> Json:
    named = {"id": id} if id else {}
    return {"resourceType": "Patient", "name": [{"family": "Chen"}], **named, **more}


def pulse(of: str, rate: int = 70) -> Json:
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "subject": {"reference": of},
        "valueQuantity": {"value": rate},
    }


def bundle(kind: str, *entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def posted(resource: Json, full_url: str, **request: str) -> Json:
    url = resource["resourceType"]
    return {
        "fullUrl": full_url,
        "resource": resource,
        "request": {"method": "POST", "url": url, **request},
    }


def practitioner_batch() -> Json:
    doctor = {
        "resourceType": "Practitioner",
        "identifier": [{"system": "urn:npi", "value": "1"}],
    }
    return bundle("batch", posted(doctor, "urn:uuid:d1", ifNoneExist="identifier=urn:npi|1"))


def seen_by_the_practitioner() -> Json:
    reading = pulse("urn:uuid:p1") | {
        "performer": [{"reference": "Practitioner?identifier=urn:npi|1"}]
    }
    return bundle("transaction", posted(patient(), "urn:uuid:p1"), posted(reading, "urn:uuid:o1"))


def picture(name: str) -> bytes:
    return Path(str(get_testdata_file(name))).read_bytes()
