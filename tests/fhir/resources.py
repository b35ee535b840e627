"""Small valid resources and staff for tests."""

from __future__ import annotations

import json
from typing import Any

from serai.kernel.actor import Actor, Kind

Data = dict[str, Any]


def patient(family: str = "Li", **more: Any) -> Data:
    return {"resourceType": "Patient", "name": [{"family": family, "given": ["Mei"]}], **more}


def observation(subject: str | None = None, code: str = "8867-4", **more: Any) -> Data:
    made: Data = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "effectiveDateTime": "2024-03-15T09:10:00Z",
        **more,
    }
    if subject:
        made["subject"] = {"reference": subject}
    return made


def doctor(organisation: str | None, name: str = "doctor") -> Actor:
    return Actor(
        id=name,
        kind=Kind.STAFF,
        name=name,
        role="doctor",
        organisation=organisation,
        scopes=frozenset({"user/*.cruds"}),
    )


def as_json(data: Data) -> bytes:
    return json.dumps(data).encode()
