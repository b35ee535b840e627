"""The names by which a consultation is known in FHIR, and its states in FHIR's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serai.care.consultation.model import State
from serai.network import SPECIALTIES
from serai.network.model import BY_SNOMED, SERAI, SNOMED_CT

WORKFLOW = f"{SERAI}/CodeSystem/workflow"
MOVE = f"{SERAI}/StructureDefinition/consultation-move"
NOTE_KIND = f"{SERAI}/StructureDefinition/note-kind"
BUSINESS_STATUS = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"

# Task.status and Task.businessStatus (BSeR 2.0) of each state. Only 5.1.4 tells two states
# apart that share a Task.status: working on it, and reported but not yet acknowledged.
IN_FHIR: Mapping[State, tuple[str, str]] = {
    State.DRAFT: ("draft", "2.0"),
    State.SENT: ("requested", "2.0"),
    State.ASSIGNED: ("received", "2.0"),
    State.ACCEPTED: ("accepted", "3.0"),
    State.IN_PROGRESS: ("in-progress", "3.0"),
    State.ASKED: ("on-hold", "3.0"),
    State.REPORTED: ("in-progress", "5.1.4"),
    State.CLOSED: ("completed", "7.0"),
    State.DECLINED: ("rejected", "4.0"),
    State.CANCELLED: ("cancelled", "6.0"),
}
BUSINESS_DISPLAY = {
    "2.0": "Service Request Created",
    "3.0": "Service Request Accepted",
    "4.0": "Service Request Declined",
    "5.1.4": "Service Request Event Completed",
    "6.0": "Service Request Fulfillment Cancelled",
    "7.0": "Service Request Fulfillment Completed",
}
REQUEST_STATUS: Mapping[State, str] = {
    State.DRAFT: "draft",
    State.CLOSED: "completed",
    State.CANCELLED: "revoked",
}


def workflow(code: str, display: str = "") -> dict[str, Any]:
    coding = {"system": WORKFLOW, "code": code}
    return {"coding": [coding | {"display": display} if display else coding]}


CONSULTATION = workflow("consultation", "Remote consultation")


def has_code(concept: Any, system: str, code: str) -> bool:
    codings = concept.get("coding", ()) if isinstance(concept, Mapping) else ()
    return any(c.get("system") == system and c.get("code") == code for c in codings)


def is_consultation_task(task: Mapping[str, Any] | None) -> bool:
    return task is not None and has_code(task.get("code"), WORKFLOW, "consultation")


def is_consultation_request(request: Mapping[str, Any] | None) -> bool:
    return request is not None and has_code(request.get("code"), WORKFLOW, "consultation")


def id_of(reference: Any, resource_type: str) -> str:
    """The logical id in a relative reference to that type; '' for anything else."""
    text = reference.get("reference", "") if isinstance(reference, Mapping) else ""
    kind, _, logical_id = str(text).partition("/")
    return logical_id.partition("/")[0] if kind == resource_type else ""


def code_in(concepts: Any, system: str) -> str:
    for concept in concepts or ():
        for coding in concept.get("coding", ()):
            if coding.get("system") == system:
                return str(coding.get("code", ""))
    return ""


def specialty_concept(code: str) -> dict[str, Any]:
    known = SPECIALTIES[code]
    return {"coding": [{"system": SNOMED_CT, "code": known.snomed, "display": known.name}]}


def specialty_in(concepts: Any) -> str:
    """Our short code of the first practice setting named; '' when none is known."""
    known = BY_SNOMED.get(code_in(concepts, SNOMED_CT))
    return known.code if known else ""


def state_of(task: Mapping[str, Any]) -> State | None:
    """The state a Task is in; None for a Task.status a consultation never has."""
    status = task.get("status")
    if status == "in-progress":
        reported = has_code(task.get("businessStatus"), BUSINESS_STATUS, "5.1.4")
        return State.REPORTED if reported else State.IN_PROGRESS
    return next((state for state, (word, _) in IN_FHIR.items() if word == status), None)
