"""Which patient record the pictures belong to: found by number, or left to people."""

from __future__ import annotations

from typing import Any

from serai.fhir.body import Data, decode
from serai.fhir.search.keys import key
from serai.imaging.archive.header import PatientKey
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.platform.db import Connection

OID = "urn:oid:"
# Only records in the care of the organisation that owns the study: the same number at another
# hospital is another person.
WITH_NUMBER = """SELECT id, content FROM fhir_resource
                 WHERE type = 'Patient' AND NOT deleted AND owner = %s
                   AND keys @> ARRAY[%s]::bigint[] LIMIT 10"""


async def matching_patient(
    tx: Connection, owner: str | None, number: PatientKey, study: Attributes
) -> str | None:
    """The one record of this number at this organisation; None when there is none, or doubt."""
    if owner is None or not number.id:
        return None
    by_number = key("code", "Patient", "identifier", number.id)
    rows = await (await tx.execute(WITH_NUMBER, (owner, by_number))).fetchall()
    found = [id for id, content in rows if _is(decode(content), number, study)]
    return found[0] if len(found) == 1 else None


def _is(patient: Data, number: PatientKey, study: Attributes) -> bool:
    """The number, its issuer, and nothing against it: a birth date that differs is a doubt."""
    identifiers: list[dict[str, Any]] = patient.get("identifier", [])
    if not any(_same_number(identifier, number) for identifier in identifiers):
        return False
    born = str(patient.get("birthDate", "")).replace("-", "")
    on_pictures = first_text(study, "00100030").replace(".", "")
    length = min(len(born), len(on_pictures))
    return born[:length] == on_pictures[:length]


def _same_number(identifier: dict[str, Any], number: PatientKey) -> bool:
    if identifier.get("value") != number.id:
        return False
    issuers = (
        identifier.get("system", ""),
        identifier.get("system", "").removeprefix(OID),
        identifier.get("assigner", {}).get("display", ""),
    )
    return not number.issuer or number.issuer in issuers
