"""Clinical resources as lines of a timeline: a title, a date, a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serai.care.chart.model import Entry, Kind

Resource = dict[str, Any]
DICOM_UID = "urn:dicom:uid"

# Where each type says when it happened, best first.
WHEN = {
    "Encounter": ("period.start",),
    "Condition": ("onsetDateTime", "recordedDate", "onsetPeriod.start"),
    "Observation": ("effectiveDateTime", "effectivePeriod.start", "effectiveInstant", "issued"),
    "DiagnosticReport": ("issued", "effectiveDateTime", "effectivePeriod.start"),
    "ImagingStudy": ("started",),
    "DocumentReference": ("date", "context.period.start"),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod.start", "dateAsserted"),
    "Procedure": ("performedDateTime", "performedPeriod.start"),
    "Immunization": ("occurrenceDateTime", "recorded"),
    "AllergyIntolerance": ("recordedDate", "onsetDateTime"),
    "Task": ("authoredOn",),
}
KINDS = {
    "Encounter": Kind.ENCOUNTER,
    "Condition": Kind.CONDITION,
    "AllergyIntolerance": Kind.CONDITION,
    "Observation": Kind.OBSERVATION,
    "DiagnosticReport": Kind.REPORT,
    "ImagingStudy": Kind.STUDY,
    "DocumentReference": Kind.DOCUMENT,
    "MedicationRequest": Kind.MEDICINE,
    "MedicationStatement": Kind.MEDICINE,
    "Immunization": Kind.MEDICINE,
    "Procedure": Kind.PROCEDURE,
    "Task": Kind.CONSULTATION,
}


def to_entry(resource: Resource) -> Entry:
    kind = resource["resourceType"]
    return Entry(
        reference=f"{kind}/{resource['id']}",
        kind=KINDS[kind],
        at=_when(resource)[:10] if KINDS[kind] is Kind.CONDITION else _when(resource),
        title=_TITLES.get(kind, _coded)(resource),
        detail=_DETAILS.get(kind, _nothing)(resource),
        status=str(resource.get("status", "")),
        study_uid=_study_uid(resource),
        attachment=_attachment(resource),
    )


def _when(resource: Resource) -> str:
    for path in WHEN[resource["resourceType"]]:
        value: Any = resource
        for name in path.split("."):
            value = value.get(name, {})
        if isinstance(value, str):
            return value
    return str(resource["meta"]["lastUpdated"])


def text_of(concept: Any) -> str:
    """What people read of a CodeableConcept."""
    if not isinstance(concept, dict):
        return ""
    codings = concept.get("coding", ())
    displays = [coding.get("display") or coding.get("code", "") for coding in codings]
    return str(concept.get("text") or next(iter(displays), ""))


def _coded(resource: Resource) -> str:
    return text_of(resource.get("code"))


def _encounter(resource: Resource) -> str:
    kinds = [text_of(kind) for kind in resource.get("type", ())]
    return next(iter(kinds), "") or str(resource.get("class", {}).get("display", ""))


def _encounter_detail(resource: Resource) -> str:
    reasons = [text_of(reason) for reason in resource.get("reasonCode", ())]
    place = resource.get("serviceProvider", {}).get("display", "")
    return " · ".join(part for part in (*reasons, place) if part)


def quantity(value: Resource) -> str:
    number = value.get("value")
    if number is None:
        return ""
    if hasattr(number, "quantize"):
        number = _readable(str(number))
    return f"{value.get('comparator', '')}{number} {value.get('unit') or ''}".strip()


def _readable(number: str) -> str:
    """Synthetic and device values carry fifteen digits; four that count are read."""
    if len(number.lstrip("-0.").replace(".", "")) <= 7 or "e" in number.lower():
        return number
    return f"{float(number):.4g}" if abs(float(number)) < 1000 else f"{float(number):.0f}"


def value_of(resource: Resource) -> str:
    """The value of an Observation or of one of its components."""
    for name in ("valueString", "valueDateTime", "valueTime", "valueInteger"):
        if name in resource:
            return str(resource[name])
    if "valueQuantity" in resource:
        return quantity(resource["valueQuantity"])
    if "valueCodeableConcept" in resource:
        return text_of(resource["valueCodeableConcept"])
    return ""


def _observation_detail(resource: Resource) -> str:
    parts = [value_of(resource)]
    parts += [
        f"{text_of(component.get('code'))} {value_of(component)}"
        for component in resource.get("component", ())
    ]
    flags = [text_of(flag) for flag in resource.get("interpretation", ())]
    return " · ".join(part for part in (*parts, *flags) if part.strip())


def _medicine(resource: Resource) -> str:
    if "medicationCodeableConcept" in resource:
        return text_of(resource["medicationCodeableConcept"])
    if "vaccineCode" in resource:
        return text_of(resource["vaccineCode"])
    return str(resource.get("medicationReference", {}).get("display", ""))


def _medicine_detail(resource: Resource) -> str:
    doses = resource.get("dosageInstruction") or resource.get("dosage") or ()
    return " · ".join(dose.get("text", "") for dose in doses if dose.get("text"))


def _study_title(resource: Resource) -> str:
    described = [resource.get("description", "")]
    described += [series.get("description", "") for series in resource.get("series", ())]
    return next((text for text in described if text), "")


def _study_detail(resource: Resource) -> str:
    codes = [modality.get("code", "") for modality in resource.get("modality", ())]
    codes = codes or [
        series.get("modality", {}).get("code", "") for series in resource.get("series", ())
    ]
    return " ".join(dict.fromkeys(code for code in codes if code))


def _document_title(resource: Resource) -> str:
    titles = [
        content.get("attachment", {}).get("title", "") for content in resource.get("content", ())
    ]
    return str(resource.get("description") or next(iter(titles), "")) or text_of(
        resource.get("type")
    )


def _report_detail(resource: Resource) -> str:
    return str(resource.get("conclusion", ""))


def _task_title(resource: Resource) -> str:
    return str(resource.get("description", "")) or text_of(resource.get("code"))


def _task_detail(resource: Resource) -> str:
    recipients = resource.get("restriction", {}).get("recipient", ())
    return " · ".join(item.get("display", "") for item in recipients)


def _allergy_detail(resource: Resource) -> str:
    reactions = [
        text_of(manifestation)
        for reaction in resource.get("reaction", ())
        for manifestation in reaction.get("manifestation", ())
    ]
    return ", ".join(reactions)


def _nothing(_: Resource) -> str:
    return ""


_TITLES: dict[str, Callable[[Resource], str]] = {
    "Encounter": _encounter,
    "MedicationRequest": _medicine,
    "MedicationStatement": _medicine,
    "Immunization": _medicine,
    "ImagingStudy": _study_title,
    "DocumentReference": _document_title,
    "Task": _task_title,
}
_DETAILS: dict[str, Callable[[Resource], str]] = {
    "Encounter": _encounter_detail,
    "Observation": _observation_detail,
    "MedicationRequest": _medicine_detail,
    "MedicationStatement": _medicine_detail,
    "ImagingStudy": _study_detail,
    "DiagnosticReport": _report_detail,
    "Task": _task_detail,
    "AllergyIntolerance": _allergy_detail,
}


def _study_uid(resource: Resource) -> str:
    if resource["resourceType"] != "ImagingStudy":
        return ""
    for identifier in resource.get("identifier", ()):
        if identifier.get("system") == DICOM_UID:
            return str(identifier.get("value", "")).removeprefix("urn:oid:")
    return ""


def _attachment(resource: Resource) -> str:
    """Id of the document whose pages are kept here; '' when they are elsewhere."""
    if resource["resourceType"] != "DocumentReference":
        return ""
    for content in resource.get("content", ()):
        attachment = content.get("attachment", {})
        if "data" in attachment or attachment.get("url", "").startswith("Binary/"):
            return str(resource["id"])
    return ""
