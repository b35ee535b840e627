"""Orders for pictures in the FHIR record, and what becomes of them."""

from __future__ import annotations

import asyncio
from typing import Any

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor, Kind, serai_itself
from serai.kernel.clock import utc_now
from serai.platform.db import Database

DCM = "http://dicom.nema.org/resources/ontology/DCM"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
AE = "https://serai.health/fhir/NamingSystem/ae-title"


def at(organisation: str) -> Actor:
    scopes = frozenset({"system/*.cruds"})
    return Actor("clerk", Kind.STAFF, "Clerk", "doctor", organisation, scopes=scopes)


def keep(database_url: str, *resources: dict[str, Any], organisation: str = "county") -> None:
    async def work() -> None:
        db, fhir = await Database.open(database_url, max_size=1), FhirStore()
        async with db.transaction() as tx:
            for each in resources:
                await fhir.update(tx, body.of(each), actor=at(organisation), now=utc_now())
        await db.close()

    asyncio.run(work())


def found(database_url: str, type: str, *params: tuple[str, str]) -> list[dict[str, Any]]:
    async def work() -> list[dict[str, Any]]:
        db = await Database.open(database_url, max_size=1)
        async with db.connection() as connection:
            rows = await FhirStore().find(connection, type, *params, actor=serai_itself)
        await db.close()
        return rows

    return asyncio.run(work())


def a_patient(id: str = "wei", **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": id,
        "identifier": [
            {
                "type": {"coding": [{"system": V2, "code": "MR"}]},
                "value": f"MR-{id}",
                "assigner": {"display": "County"},
            }
        ],
        "name": [{"family": "Li", "given": ["Wei"]}, {"family": "李", "given": ["伟"]}],
        "gender": "male",
        "birthDate": "1970-05-03",
    } | elements


def an_order(id: str = "order-1", patient: str = "wei", **elements: Any) -> dict[str, Any]:
    modality = elements.pop("modality", "CT")
    return {
        "resourceType": "ServiceRequest",
        "id": id,
        "status": "active",
        "intent": "order",
        "priority": "urgent",
        "identifier": [{"type": {"coding": [{"system": V2, "code": "ACSN"}]}, "value": f"A-{id}"}],
        "code": {"text": "CT thorax"},
        "orderDetail": [{"coding": [{"system": DCM, "code": modality}]}],
        "subject": {"reference": f"Patient/{patient}"},
        "occurrenceDateTime": "2026-11-25T09:30:00+08:00",
        "performer": [{"identifier": {"system": AE, "value": f"{modality}1"}}],
    } | elements
