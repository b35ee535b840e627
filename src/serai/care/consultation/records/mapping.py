"""Consultation ↔ ServiceRequest (what is asked) and Task (how far it has come)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serai.care.consultation.model import (
    Consultation,
    Report,
    Request,
    State,
    Step,
    Urgency,
)
from serai.care.consultation.records.words import (
    BUSINESS_DISPLAY,
    BUSINESS_STATUS,
    CONSULTATION,
    IN_FHIR,
    MOVE,
    NOTE_KIND,
    REQUEST_STATUS,
    id_of,
    specialty_concept,
    specialty_in,
    state_of,
    workflow,
)
from serai.kernel.actor import Actor
from serai.kernel.clock import instant
from serai.kernel.errors import Conflict, Invalid

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """What people call the parties, kept beside the references for whoever reads FHIR alone."""

    requester: str = ""
    requester_organisation: str = ""
    expert_organisation: str = ""


def moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def _reference(kind: str, logical_id: str, display: str = "") -> Resource:
    reference = {"reference": f"{kind}/{logical_id}"}
    return reference | {"display": display} if display else reference


def to_service_request(consultation: Consultation, names: Names) -> Resource:
    """https://hl7.org/fhir/R4/servicerequest.html"""
    request = consultation.request
    resource: Resource = {
        "resourceType": "ServiceRequest",
        "id": consultation.service_request,
        "status": REQUEST_STATUS.get(consultation.state, "active"),
        "intent": "order",
        "category": [CONSULTATION],
        "code": CONSULTATION,
        "priority": request.urgency.value,
        "subject": _reference("Patient", consultation.patient, consultation.patient_name),
        "authoredOn": instant(consultation.sent_at or consultation.drafted_at),
        "requester": _reference("Practitioner", consultation.requester, names.requester),
    }
    if request.specialty:
        resource["performerType"] = specialty_concept(request.specialty)
    if request.expert_organisation:
        resource["performer"] = [
            _reference("Organization", request.expert_organisation, names.expert_organisation)
        ]
    if request.reason:
        resource["reasonCode"] = [{"text": request.reason}]
    notes = [
        {"extension": [{"url": NOTE_KIND, "valueCode": kind}], "text": text}
        for kind, text in (("question", request.question), ("summary", request.summary))
        if text
    ]
    if notes:
        resource["note"] = notes
    if request.attachments:
        resource["supportingInfo"] = [{"reference": item} for item in request.attachments]
    return resource


def to_task(consultation: Consultation, names: Names, *, actor: Actor) -> Resource:
    """https://hl7.org/fhir/R4/task.html"""
    status, business = IN_FHIR[consultation.state]
    request = consultation.request
    resource: Resource = {
        "resourceType": "Task",
        "id": consultation.id,
        "extension": [_move_by(actor)],
        "status": status,
        "businessStatus": {
            "coding": [
                {
                    "system": BUSINESS_STATUS,
                    "code": business,
                    "display": BUSINESS_DISPLAY[business],
                }
            ]
        },
        "intent": "order",
        "priority": request.urgency.value,
        "code": CONSULTATION,
        "focus": _reference("ServiceRequest", consultation.service_request),
        "for": _reference("Patient", consultation.patient, consultation.patient_name),
        "authoredOn": instant(consultation.drafted_at),
        "lastModified": instant(consultation.changed_at),
        "requester": _reference(
            "Organization", consultation.requester_organisation, names.requester_organisation
        ),
    }
    optional: Resource = {
        "description": request.reason,
        "statusReason": consultation.reason and {"text": consultation.reason},
        "performerType": request.specialty and [specialty_concept(request.specialty)],
    }
    resource |= {name: value for name, value in optional.items() if value}
    _add_parties(resource, consultation, names)
    return resource


def _add_parties(resource: Resource, consultation: Consultation, names: Names) -> None:
    request = consultation.request
    if consultation.sent_at and consultation.due_at:
        period = {"start": instant(consultation.sent_at), "end": instant(consultation.due_at)}
        resource["restriction"] = {"period": period}
    if request.expert_organisation:
        asked = _reference("Organization", request.expert_organisation, names.expert_organisation)
        resource.setdefault("restriction", {})["recipient"] = [asked]
        resource["owner"] = asked
    if consultation.expert:
        resource["owner"] = _reference(
            "Practitioner", consultation.expert, consultation.expert_name
        )
    inputs = [
        {"type": workflow("message"), "valueReference": _reference("Communication", message)}
        for message in consultation.messages
    ]
    if inputs:
        resource["input"] = inputs
    if consultation.report:
        opinion = _reference("DiagnosticReport", consultation.report.id)
        resource["output"] = [{"type": workflow("opinion"), "valueReference": opinion}]


def _move_by(actor: Actor) -> Resource:
    return {
        "url": MOVE,
        "extension": [
            {
                "url": "by",
                "valueReference": _reference("Practitioner", actor.practitioner or "", actor.name),
            },
            {
                "url": "for",
                "valueReference": _reference("Organization", actor.organisation or ""),
            },
        ],
    }


def mover(task: Mapping[str, Any]) -> tuple[str, str, str]:
    """Practitioner id, name and organisation id of whoever made the Task's last move."""
    for extension in task.get("extension", ()):
        if extension.get("url") == MOVE:
            parts = {part.get("url"): part for part in extension.get("extension", ())}
            by = parts.get("by", {}).get("valueReference", {})
            for_whom = parts.get("for", {}).get("valueReference", {})
            practitioner = id_of(by, "Practitioner")
            return practitioner, str(by.get("display", "")), id_of(for_whom, "Organization")
    return "", "", ""


def to_consultation(
    task: Resource, service_request: Resource, report: Resource | None = None
) -> Consultation:
    """The model's view of the resources; refuses a Task in a state no consultation knows."""
    state = state_of(task)
    if state is None:
        raise Conflict("consultation.unknown-state", wanted=task.get("status"))
    if "authoredOn" not in task or "lastModified" not in task:
        raise Invalid("consultation.time-missing")
    period = task.get("restriction", {}).get("period", {})
    owner = task.get("owner", {})
    return Consultation(
        id=task.get("id", ""),
        version=int(task.get("meta", {}).get("versionId", 0)),
        state=state,
        patient=id_of(task.get("for"), "Patient"),
        patient_name=task.get("for", {}).get("display", ""),
        requester_organisation=id_of(task.get("requester"), "Organization"),
        requester=id_of(service_request.get("requester"), "Practitioner"),
        request=_to_request(service_request),
        drafted_at=moment(task["authoredOn"]),
        changed_at=moment(task.get("meta", {}).get("lastUpdated", task["authoredOn"])),
        sent_at=moment(period["start"]) if "start" in period else None,
        expert=id_of(owner, "Practitioner") or None,
        expert_name=owner.get("display", "") if id_of(owner, "Practitioner") else "",
        reason=task.get("statusReason", {}).get("text", ""),
        report=to_report(report) if report else None,
        messages=tuple(
            id_of(item.get("valueReference"), "Communication") for item in task.get("input", ())
        ),
        service_request=id_of(task.get("focus"), "ServiceRequest"),
    )


def _to_request(resource: Resource) -> Request:
    notes = {_note_kind(note): note.get("text", "") for note in resource.get("note", ())}
    performers = resource.get("performer", ())
    attached = resource.get("supportingInfo", ())
    return Request(
        reason=next((item.get("text", "") for item in resource.get("reasonCode", ())), ""),
        question=notes.get("question", ""),
        summary=notes.get("summary", ""),
        urgency=Urgency(resource.get("priority", "routine")),
        specialty=specialty_in([resource.get("performerType", {})]),
        expert_organisation=id_of(performers[0], "Organization") if performers else None,
        attachments=tuple(item["reference"] for item in attached if "reference" in item),
    )


def _note_kind(note: Resource) -> str:
    kinds = [e.get("valueCode") for e in note.get("extension", ()) if e.get("url") == NOTE_KIND]
    return str(kinds[0]) if kinds else "question"


def names_in(task: Resource, service_request: Resource) -> Names:
    performers = service_request.get("performer", ({},))
    return Names(
        requester=service_request.get("requester", {}).get("display", ""),
        requester_organisation=task.get("requester", {}).get("display", ""),
        expert_organisation=performers[0].get("display", "") if performers else "",
    )


def to_report(resource: Resource) -> Report:
    signers = resource.get("resultsInterpreter", ())
    return Report(
        id=resource["id"],
        status=resource["status"],
        signer=(id_of(signers[0], "Practitioner") or None) if signers else None,
    )


def report_id(task: Mapping[str, Any]) -> str:
    for output in task.get("output", ()):
        found = id_of(output.get("valueReference"), "DiagnosticReport")
        if found:
            return found
    return ""


def to_steps(versions: Iterable[Resource]) -> tuple[Step, ...]:
    """Every move, oldest first, from the Task's versions; edits of the draft count as one."""
    steps: list[Step] = []
    for task in versions:
        state = state_of(task)
        if state is None:
            continue
        by, by_name, organisation = mover(task)
        step = Step(
            state=state,
            at=moment(task["meta"]["lastUpdated"]),
            version=int(task["meta"]["versionId"]),
            by=by,
            by_name=by_name,
            organisation=organisation,
            reason=task.get("statusReason", {}).get("text", ""),
        )
        if steps and state is State.DRAFT:
            continue
        steps.append(step)
    return tuple(steps)
