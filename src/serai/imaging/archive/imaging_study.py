"""A study as ImagingStudy (https://hl7.org/fhir/R4/imagingstudy.html): facts in, resource out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serai.imaging.archive.header import PatientKey
from serai.imaging.dataset.model_json import Attributes, first_text

Resource = dict[str, Any]

DICOM_UID = "urn:dicom:uid"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
ACCESSION = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]
}
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
# The elements that follow the archive; everything else belongs to whoever wrote it.
OWN_ELEMENTS = (
    "identifier",
    "status",
    "modality",
    "started",
    "numberOfSeries",
    "numberOfInstances",
    "description",
    "series",
)


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    uid: str
    modality: str
    number: int | None
    instances: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class StudyFacts:
    uid: str
    patient: PatientKey
    attributes: Attributes
    series: Sequence[SeriesFacts]


def new(facts: StudyFacts, subject: Resource) -> Resource:
    """The resource of a study that has just arrived."""
    return {"resourceType": "ImagingStudy", "subject": subject, **_own(facts)}


def in_step(current: Mapping[str, Any], facts: StudyFacts) -> Resource:
    """The current resource with what the archive knows better."""
    kept = {name: value for name, value in current.items() if name not in OWN_ELEMENTS}
    return {**kept, **_own(facts)}


def subject_by_number(facts: StudyFacts) -> Resource:
    """A logical reference: the number on the pictures, until somebody links the patient."""
    subject: Resource = {}
    if facts.patient.id:
        subject["identifier"] = {"value": facts.patient.id}
        if facts.patient.issuer:
            subject["identifier"]["assigner"] = {"display": facts.patient.issuer}
    name = shown_name(facts.attributes)
    if name:
        subject["display"] = name
    return subject or {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}


def subject_by_reference(patient_id: str, facts: StudyFacts) -> Resource:
    name = shown_name(facts.attributes)
    reference = {"reference": f"Patient/{patient_id}"}
    return {**reference, "display": name} if name else reference


def shown_name(attributes: Attributes) -> str:
    """The name as people write it: family and given, the patient's own script behind it."""
    values = attributes.get("00100010", {}).get("Value") or [{}]
    name = values[0] if isinstance(values[0], dict) else {}
    groups = (name.get("Alphabetic", ""), name.get("Ideographic", ""))
    return " ".join(" ".join(group.replace("^", " ").split()) for group in groups).strip()


def started(attributes: Attributes, date_tag: str, time_tag: str) -> str | None:
    """A FHIR dateTime from DA and TM; a time needs a zone, so without one the day must do."""
    day = first_text(attributes, date_tag).replace(".", "")
    if len(day) != 8 or not day.isdigit() or day[4:6] > "12" or day[6:] > "31":
        return None
    shown = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    zone = first_text(attributes, "00080201")
    time = first_text(attributes, time_tag).replace(":", "")[:6]
    if len(zone) != 5 or len(time) != 6 or not (zone[1:] + time).isdigit():
        return shown
    return f"{shown}T{time[:2]}:{time[2:4]}:{time[4:]}{zone[:3]}:{zone[3:]}"


def _own(facts: StudyFacts) -> Resource:
    resource: Resource = {
        "identifier": _identifiers(facts),
        "status": "available",
        "modality": [_modality(code) for code in _modalities(facts)],
        "started": started(facts.attributes, "00080020", "00080030"),
        "numberOfSeries": len(facts.series),
        "numberOfInstances": sum(series.instances for series in facts.series),
        "description": first_text(facts.attributes, "00081030"),
        "series": [_series(series, facts) for series in facts.series],
    }
    return {name: value for name, value in resource.items() if value not in ("", None, [])}


def _identifiers(facts: StudyFacts) -> list[Resource]:
    identifiers: list[Resource] = [{"system": DICOM_UID, "value": f"urn:oid:{facts.uid}"}]
    accession = first_text(facts.attributes, "00080050")
    if accession:
        identifiers.append({"type": ACCESSION, "value": accession})
    return identifiers


def _modalities(facts: StudyFacts) -> list[str]:
    return sorted({series.modality for series in facts.series} - {""})


def _modality(code: str) -> Resource:
    return {"system": DCM, "code": code}


def _series(series: SeriesFacts, facts: StudyFacts) -> Resource:
    zoned = {**series.attributes, **_zone(facts.attributes)}
    resource: Resource = {
        "uid": series.uid,
        "number": series.number if series.number is not None and series.number >= 0 else None,
        # OT is DICOM's own word for what has no better one; the element is required.
        "modality": _modality(series.modality or "OT"),
        "description": first_text(series.attributes, "0008103E"),
        "numberOfInstances": series.instances,
        "bodySite": _body_site(series.attributes),
        "started": started(zoned, "00080021", "00080031"),
    }
    return {name: value for name, value in resource.items() if value not in ("", None)}


def _zone(attributes: Attributes) -> Attributes:
    return {"00080201": attributes["00080201"]} if "00080201" in attributes else {}


def _body_site(attributes: Attributes) -> Resource | None:
    body_part = first_text(attributes, "00180015")
    return {"display": body_part} if body_part else None
