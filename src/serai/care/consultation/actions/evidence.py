"""What a move points to must be there, belong to this consultation, and be the actor's to give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from serai.care.consultation import records
from serai.care.consultation.model import CLINICIANS, Act, Consultation
from serai.care.consultation.records import words
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.errors import Forbidden, Invalid, NotFound
from serai.network import staff_of
from serai.platform.db import Connection

Resource = dict[str, Any]


async def check(
    store: FhirStore, tx: Connection, consultation: Consultation, act: Act, actor: Actor
) -> None:
    if act is Act.SEND:
        await own_patient(store, tx, consultation, actor)
        await _hospital_exists(store, tx, consultation)
        for reference in consultation.request.attachments:
            await _belongs(store, tx, reference, consultation, actor)
    elif act in (Act.ASSIGN, Act.REASSIGN):
        await _expert_works_there(store, tx, consultation)
    elif act in (Act.ASK, Act.ANSWER):
        await _said(store, tx, consultation, actor)
    elif act in (Act.SIGN, Act.AMEND):
        await _answers_this(store, tx, consultation)


async def own_patient(
    store: FhirStore, tx: Connection, consultation: Consultation, actor: Actor
) -> None:
    """Only the hospital that keeps the patient's record may show it to another."""
    try:
        patient = await store.read(tx, "Patient", consultation.patient, actor=actor)
    except NotFound as error:
        raise Invalid("consultation.patient-missing") from error
    if patient.owner != actor.organisation:
        raise Forbidden("consultation.not-your-patient")


async def _hospital_exists(store: FhirStore, tx: Connection, consultation: Consultation) -> None:
    asked = consultation.request.expert_organisation or ""
    if await records.read(store, tx, "Organization", asked, actor=serai_itself) is None:
        raise Invalid("consultation.hospital-missing")


async def _belongs(
    store: FhirStore, tx: Connection, reference: str, consultation: Consultation, actor: Actor
) -> None:
    """An attachment must be readable by the sender and be about this patient alone."""
    resource_type, _, logical_id = reference.partition("/")
    resource = await records.read(store, tx, resource_type, logical_id, actor=actor)
    if resource is None or patient_of(resource) != consultation.patient:
        raise Invalid("consultation.attachment-not-of-patient", reference=reference)
    for page in pages_of(resource):
        if await records.read(store, tx, "Binary", page, actor=actor) is None:
            raise Invalid("consultation.attachment-not-of-patient", reference=f"Binary/{page}")


def pages_of(document: Resource) -> tuple[str, ...]:
    """Ids of the Binary resources that hold a document's pages."""
    urls = (content.get("attachment", {}).get("url", "") for content in document.get("content", ()))
    return tuple(url.removeprefix("Binary/") for url in urls if url.startswith("Binary/"))


def patient_of(resource: Resource) -> str:
    for element in ("subject", "patient"):
        if found := words.id_of(resource.get(element), "Patient"):
            return found
    return ""


async def _expert_works_there(store: FhirStore, tx: Connection, consultation: Consultation) -> None:
    hospital = consultation.request.expert_organisation or ""
    staff = await staff_of(tx, store, hospital, actor=serai_itself)
    if consultation.expert not in {
        member.practitioner for member in staff if member.role in CLINICIANS
    }:
        raise Invalid("consultation.expert-not-here")


async def _said(store: FhirStore, tx: Connection, consultation: Consultation, actor: Actor) -> None:
    message = await records.read(
        store, tx, "Communication", consultation.messages[-1], actor=serai_itself
    )
    if (
        message is None
        or {"reference": f"Task/{consultation.id}"} not in message.get("partOf", ())
        or words.id_of(message.get("sender"), "Practitioner") != actor.practitioner
    ):
        raise Invalid("consultation.message-missing")
    for reference in _references(message):
        await _belongs(store, tx, reference, consultation, actor)


async def _answers_this(store: FhirStore, tx: Connection, consultation: Consultation) -> None:
    assert consultation.report is not None
    report = await records.read(
        store, tx, "DiagnosticReport", consultation.report.id, actor=serai_itself
    )
    asked = {"reference": f"ServiceRequest/{consultation.service_request}"}
    if (
        report is None
        or asked not in report.get("basedOn", ())
        or patient_of(report) != consultation.patient
    ):
        raise Invalid("consultation.opinion-not-signed")


def _references(message: Resource) -> tuple[str, ...]:
    parts = (part.get("contentReference", {}) for part in message.get("payload", ()))
    return tuple(part["reference"] for part in parts if "reference" in part)


async def brought_by(store: FhirStore, tx: Connection, message_id: str) -> tuple[str, ...]:
    message = await records.read(store, tx, "Communication", message_id, actor=serai_itself)
    return _references(message) if message else ()


async def attached(store: FhirStore, tx: Connection, references: Iterable[str]) -> list[str]:
    """The references, and for a document also the Binary that holds its pages."""
    found: list[str] = []
    for reference in references:
        found.append(reference)
        resource_type, _, logical_id = reference.partition("/")
        if resource_type == "DocumentReference":
            document = await records.read(store, tx, resource_type, logical_id, actor=serai_itself)
            found += [f"Binary/{page}" for page in pages_of(document or {})]
    return found


async def patient_of_request(store: FhirStore, tx: Connection, request_id: str) -> str:
    request = await records.read(store, tx, "ServiceRequest", request_id, actor=serai_itself)
    return patient_of(request) if request else ""
