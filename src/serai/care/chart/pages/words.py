"""What the pages of the chart say, and what they share."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from serai.care.chart.actions import Charts
from serai.care.chart.model import Kind, Numbering, Person
from serai.web import wording
from serai.web.languages import N_, gettext
from serai.web.navigation import NavItem

NAVIGATION = (
    NavItem(N_("Patients"), "/patients", "users", roles=frozenset({"doctor", "expert", "desk"})),
)

NUMBERINGS = {
    Numbering.NATIONAL: N_("Identity number"),
    Numbering.PASSPORT: N_("Passport"),
    Numbering.HOSPITAL: N_("Hospital number"),
}
KIND_LABELS = {
    Kind.ENCOUNTER: N_("Visits"),
    Kind.CONDITION: N_("Problems"),
    Kind.OBSERVATION: N_("Measurements"),
    Kind.REPORT: N_("Reports"),
    Kind.STUDY: N_("Images"),
    Kind.DOCUMENT: N_("Documents"),
    Kind.MEDICINE: N_("Medicines"),
    Kind.PROCEDURE: N_("Procedures"),
    Kind.CONSULTATION: N_("Consultations"),
}
KIND_ICONS = {
    Kind.ENCOUNTER: "building",
    Kind.CONDITION: "alert",
    Kind.OBSERVATION: "activity",
    Kind.REPORT: "file",
    Kind.STUDY: "image",
    Kind.DOCUMENT: "file",
    Kind.MEDICINE: "heart",
    Kind.PROCEDURE: "check",
    Kind.CONSULTATION: "message",
}

wording.add(
    {
        "chart.name-missing": N_("Enter at least one name."),
        "chart.born-in-future": N_("The birth date lies in the future."),
        "chart.born-too-long-ago": N_("Nobody is that old: check the year of birth."),
        "chart.number-missing": N_("Enter the number, or choose that there is none."),
        "chart.may-not-register": N_("Your role does not register patients."),
        "chart.look-alikes": N_("Somebody with this number or name is already registered."),
        "chart.not-your-patient": N_(
            "Another hospital keeps this patient's record; only it can add to it."
        ),
        "chart.registered": N_("The patient is registered."),
        "chart.document-kept": N_("The document is in the record."),
        "chart.document-kind": N_("Only PDF, JPEG and PNG documents can be kept."),
        "chart.document-too-large": N_("The document is larger than %(megabytes)s MB."),
        "chart.document-missing": N_("Choose a document."),
        "chart.document-without-pages": N_("This document has no pages here."),
        "chart.pictures-missing": N_("Choose DICOM files, a folder or a zip archive."),
        "chart.pictures-kept": N_("The images are in the record."),
        "dicom.not-part10": N_("Not a DICOM file."),
        "dicom.no-file-meta": N_("Not a complete DICOM file: its file header is missing."),
        "dicom.no-transfer-syntax": N_("The file does not say how its data are encoded."),
        "dicom.truncated": N_("The file is incomplete: it ends in the middle."),
        "dicom.not-an-item": N_("The file is damaged."),
        "dicom.nested-too-deeply": N_("The file is nested too deeply to be real."),
        "dicom.broken-deflate": N_("The compressed data in the file are damaged."),
        "dicom.inflates-too-large": N_("The compressed data in the file are too large."),
        "dicom.directory": N_("A directory of a disc; its images are kept by themselves."),
        "dicom.missing-uid": N_("An identifier that DICOM requires is missing: %(attribute)s."),
        "dicom.invalid-uid": N_("An identifier in the file is not valid: %(attribute)s."),
        "dicom.unusable-value": N_("A value in the file cannot be read."),
        "dicom.too-large": N_("The file is larger than this server takes."),
        "imaging.instance-differs": N_(
            "An image with the same identifier but other content is here already."
        ),
        "imaging.study-of-another-organisation": N_(
            "This study was stored by another organisation."
        ),
        "imaging.study-of-another-patient": N_("The images of this study name different patients."),
        "chart.study-of-another-patient": N_(
            "This study already belongs to another patient and stays there."
        ),
    }
)


def charts_of(request: Request) -> Charts:
    state = request.app.state
    return Charts(state.db, state.fhir, state.archive)


def banner(person: Person) -> dict[str, Any]:
    """The person as `ui.patient_banner` takes it."""
    labels = {numbering.value: text for numbering, text in NUMBERINGS.items()}
    return {
        "name": person.name,
        "other_name": person.other_name,
        "sex": person.sex,
        "birth_date": person.birth_date,
        "deceased": person.deceased,
        "identifiers": [
            (gettext(labels.get(one.numbering, "")) or one.numbering, one.value)
            for one in person.identifiers[:3]
            if len(one.value) <= 24
        ],
        "href": f"/patients/{person.id}",
    }
