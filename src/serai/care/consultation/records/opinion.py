"""Opinion ↔ DiagnosticReport, and the questions and answers ↔ Communication."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serai.care.consultation.model import SIGNED, Consultation, Opinion
from serai.care.consultation.records.words import CONSULTATION, id_of, workflow
from serai.kernel.actor import Actor
from serai.kernel.clock import instant

Resource = dict[str, Any]
PARTS = ("findings", "advice")


@dataclass(frozen=True, slots=True)
class OpinionVersion:
    """One stored version of the opinion, as a reader sees it."""

    id: str
    version: int
    status: str
    opinion: Opinion
    signer: str = ""
    signer_name: str = ""
    organisation_name: str = ""
    signed_at: str = ""
    correction: str = ""

    @property
    def signed(self) -> bool:
        return self.status in SIGNED


@dataclass(frozen=True, slots=True)
class Message:
    """A question back, or its answer."""

    id: str
    kind: str
    text: str
    sender: str
    sender_name: str
    sent_at: str
    attachments: tuple[str, ...] = ()


def _text_part(title: str, text: str) -> Resource:
    data = b64encode(text.encode()).decode()
    return {"contentType": "text/plain; charset=utf-8", "title": title, "data": data}


def draft_report(
    consultation: Consultation, opinion: Opinion, *, report_id: str | None, actor: Actor
) -> Resource:
    """A preliminary DiagnosticReport.

    It names no subject yet: what the expert has not signed must not appear in the patient's
    record, which the asking hospital reads.
    """
    resource: Resource = {
        "resourceType": "DiagnosticReport",
        "basedOn": [{"reference": f"ServiceRequest/{consultation.service_request}"}],
        "status": "preliminary",
        "code": CONSULTATION,
        "performer": [_person(actor)],
    }
    if report_id:
        resource["id"] = report_id
    if opinion.conclusion:
        resource["conclusion"] = opinion.conclusion
    parts = [
        _text_part(title, getattr(opinion, title)) for title in PARTS if getattr(opinion, title)
    ]
    if parts:
        resource["presentedForm"] = parts
    return resource


def signed_report(
    consultation: Consultation,
    opinion: Opinion,
    *,
    report_id: str | None,
    organisation_name: str,
    actor: Actor,
    now: datetime,
    status: str = "final",
    correction: str = "",
) -> Resource:
    """The DiagnosticReport with its signer, whom `resultsInterpreter` names."""
    organisation = {"reference": f"Organization/{actor.organisation}"}
    if organisation_name:
        organisation["display"] = organisation_name
    resource = draft_report(consultation, opinion, report_id=report_id, actor=actor) | {
        "status": status,
        "subject": {
            "reference": f"Patient/{consultation.patient}",
            "display": consultation.patient_name,
        },
        "issued": instant(now),
        "effectiveDateTime": instant(now),
        "performer": [organisation],
        "resultsInterpreter": [_person(actor)],
    }
    if correction:
        resource.setdefault("presentedForm", []).append(_text_part("correction", correction))
    studies = [
        item for item in consultation.request.attachments if item.startswith("ImagingStudy/")
    ]
    if studies:
        resource["imagingStudy"] = [{"reference": item} for item in studies]
    return resource


def _person(actor: Actor) -> Resource:
    return {"reference": f"Practitioner/{actor.practitioner}", "display": actor.name}


def to_opinion_version(resource: Resource) -> OpinionVersion:
    parts = {
        part.get("title"): b64decode(part.get("data", "")).decode()
        for part in resource.get("presentedForm", ())
    }
    signer: Resource = next(iter(resource.get("resultsInterpreter", ())), {})
    performer: Resource = next(iter(resource.get("performer", ())), {})
    return OpinionVersion(
        id=resource["id"],
        version=int(resource["meta"]["versionId"]),
        status=resource["status"],
        opinion=Opinion(
            findings=parts.get("findings", ""),
            conclusion=resource.get("conclusion", ""),
            advice=parts.get("advice", ""),
        ),
        signer=id_of(signer, "Practitioner"),
        signer_name=signer.get("display", ""),
        organisation_name=performer.get("display", ""),
        signed_at=resource.get("issued", ""),
        correction=parts.get("correction", ""),
    )


def to_communication(
    consultation: Consultation, kind: str, text: str, *, actor: Actor, now: datetime
) -> Resource:
    """https://hl7.org/fhir/R4/communication.html"""
    return {
        "resourceType": "Communication",
        "basedOn": [{"reference": f"ServiceRequest/{consultation.service_request}"}],
        "partOf": [{"reference": f"Task/{consultation.id}"}],
        "status": "completed",
        "category": [workflow(kind)],
        "subject": {"reference": f"Patient/{consultation.patient}"},
        "about": [{"reference": f"Task/{consultation.id}"}],
        "sent": instant(now),
        "sender": _person(actor),
        "payload": [{"contentString": text}],
    }


def to_message(resource: Resource) -> Message:
    category: Resource = next(iter(resource.get("category", ())), {})
    coding: Resource = next(iter(category.get("coding", ())), {})
    sender = resource.get("sender", {})
    payload = resource.get("payload", ())
    return Message(
        id=resource["id"],
        kind=coding.get("code", ""),
        text="\n".join(part["contentString"] for part in payload if "contentString" in part),
        sender=id_of(sender, "Practitioner"),
        sender_name=sender.get("display", ""),
        sent_at=resource.get("sent", ""),
        attachments=tuple(
            part["contentReference"]["reference"] for part in payload if "contentReference" in part
        ),
    )
