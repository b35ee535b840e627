"""What an IPS asks of the patient and the record does not have: said to be unknown, as
Patient-uv-ips allows, instead of left out."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from serai.fhir.body import decode

UNKNOWN: Final = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}
PARTS: Final = frozenset({"family", "given", "text", "_family", "_given", "_text"})


def completed(patient: bytes) -> msgspec.Raw | dict[str, Any]:
    """The stored bytes where nothing is missing."""
    data = decode(patient)
    names = data.get("name") or []
    lacks: dict[str, Any] = {}
    if not all(one.keys() & PARTS for one in names) or not names:
        # ips-pat-1 asks for a part of each name.
        lacks["name"] = [
            one if one.keys() & PARTS else one | {"_text": UNKNOWN} for one in names or [{}]
        ]
    if not data.keys() & {"birthDate", "_birthDate"}:
        lacks["_birthDate"] = UNKNOWN
    return data | lacks if lacks else msgspec.Raw(patient)
