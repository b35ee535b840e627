"""Paper in the record: scans and letters as DocumentReference and Binary."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serai.care.chart.actions.registering import Charts
from serai.fhir.body import of
from serai.kernel.actor import Actor
from serai.kernel.clock import instant
from serai.kernel.errors import Forbidden, Invalid, NotFound, TooLarge

LARGEST = 20 * 1024 * 1024
# What a browser shows without running anything, told by the first bytes.
SIGNATURES = {
    b"%PDF-": "application/pdf",
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
}
SUFFIXES = {
    "application/pdf": ".pdf",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "text/plain": ".txt",
}


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    content_type: str
    content: bytes


async def attach_document(
    charts: Charts,
    patient: str,
    title: str,
    content: bytes,
    *,
    actor: Actor,
    now: datetime,
) -> str:
    """File a document under the patient; the reference of its DocumentReference."""
    content_type = _checked(content)
    async with charts.db.transaction() as tx:
        stored = await charts.fhir.read(tx, "Patient", patient, actor=actor)
        if stored.owner != actor.organisation:
            raise Forbidden("chart.not-your-patient")
        binary = {
            "resourceType": "Binary",
            "contentType": content_type,
            "securityContext": {"reference": f"Patient/{patient}"},
            "data": b64encode(content).decode(),
        }
        kept = await charts.fhir.create(tx, of(binary), actor=actor, now=now)
        attachment: dict[str, Any] = {
            "contentType": content_type,
            "url": f"Binary/{kept.id}",
            "size": len(content),
            "creation": instant(now),
        }
        document: dict[str, Any] = {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": {"reference": f"Patient/{patient}"},
            "date": instant(now),
            "content": [{"attachment": attachment}],
        }
        if title:
            attachment["title"] = document["description"] = title
        if actor.practitioner:
            author = {"reference": f"Practitioner/{actor.practitioner}", "display": actor.name}
            document["author"] = [author]
        return (await charts.fhir.create(tx, of(document), actor=actor, now=now)).reference


def _checked(content: bytes) -> str:
    if len(content) > LARGEST:
        raise TooLarge("chart.document-too-large", megabytes=LARGEST // 1024**2)
    for signature, content_type in SIGNATURES.items():
        if content.startswith(signature):
            return content_type
    raise Invalid("chart.document-kind")


async def open_document(charts: Charts, document_id: str, *, actor: Actor) -> Document:
    """The pages of a document, for a reader who may see both the entry and the pages."""
    async with charts.db.connection() as c:
        document = (await charts.fhir.read(c, "DocumentReference", document_id, actor=actor)).data
        title = str(document.get("description", ""))
        for content in document.get("content", ()):
            attachment = content.get("attachment", {})
            if "data" in attachment:
                return _shown(title, b64decode(attachment["data"]))
            url = attachment.get("url", "")
            if url.startswith("Binary/"):
                pages = url.removeprefix("Binary/")
                binary = (await charts.fhir.read(c, "Binary", pages, actor=actor)).data
                return _shown(title, b64decode(binary.get("data", "")))
    raise NotFound("chart.document-without-pages")


def _shown(title: str, content: bytes) -> Document:
    """By its first bytes, never by its word; what is none of the known kinds is shown as text."""
    for signature, content_type in SIGNATURES.items():
        if content.startswith(signature):
            return Document(title, content_type, content)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise Invalid("chart.document-kind") from error
    return Document(title, "text/plain", content)
