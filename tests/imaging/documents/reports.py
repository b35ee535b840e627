"""Reports, selections and papers as devices and readers write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from tests.imaging.objects import as_part10

BASIC_TEXT = "1.2.840.10008.5.1.4.1.1.88.11"
ENHANCED = "1.2.840.10008.5.1.4.1.1.88.22"
DOSE = "1.2.840.10008.5.1.4.1.1.88.67"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
EVENTS = Code("{events}", "UCUM", "events")
MGY, MGY_CM = Code("mGy", "UCUM", "mGy"), Code("mGy.cm", "UCUM", "mGy.cm")


def dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code[:3]
    return item


def item(kind: str, concept: Code, *children: Dataset, relationship: str = "CONTAINS") -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = relationship, kind
    made.ConceptNameCodeSequence = [coded(concept)]
    if children:
        made.ContentSequence = list(children)
    return made


def text(concept: Code, value: str) -> Dataset:
    made = item("TEXT", concept)
    made.TextValue = value
    return made


def code(concept: Code, value: Code) -> Dataset:
    made = item("CODE", concept)
    made.ConceptCodeSequence = [coded(value)]
    return made


def number(concept: Code, value: str, unit: Code) -> Dataset:
    """`value` goes in as written, though it be no number."""
    made = item("NUM", concept)
    measured = Dataset()
    measured.add_new("NumericValue", "DS", None)
    measured["NumericValue"]._value = value
    measured.MeasurementUnitsCodeSequence = [coded(unit)]
    made.MeasuredValueSequence = [measured]
    return made


def image(sop_class: str, instance: str) -> Dataset:
    made = item("IMAGE", dcm("121200", "Illustration of finding"))
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, instance
    made.ReferencedSOPSequence = [reference]
    return made


def a_document(sop_class: str, modality: str, study: str, **attributes: Any) -> Dataset:
    data_set = Dataset()
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.SOPClassUID = sop_class
    data_set.SOPInstanceUID, data_set.SeriesInstanceUID = generate_uid(), generate_uid()
    data_set.StudyInstanceUID = study
    data_set.PatientID, data_set.PatientName = "P1", "Li^Wei"
    data_set.StudyDate, data_set.StudyTime, data_set.Modality = "20260301", "101500", modality
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return data_set


def a_report(
    study: str, title: Code, content: Sequence[Dataset], *, sop_class: str = ENHANCED
) -> bytes:
    data_set = a_document(sop_class, "SR", study)
    data_set.ValueType = "CONTAINER"
    data_set.ConceptNameCodeSequence = [coded(title)]
    data_set.CompletionFlag, data_set.VerificationFlag = "COMPLETE", "UNVERIFIED"
    data_set.ContentSequence = list(content)
    return as_part10(data_set)


def a_ct_dose_report(study: str, products: Sequence[str], total: str) -> bytes:
    """One irradiation event for each dose length product."""
    events = [
        item(
            "CONTAINER",
            dcm("113819", "CT Acquisition"),
            text(dcm("125203", "Acquisition Protocol"), f"Chest {index}"),
            code(dcm("113820", "CT Acquisition Type"), dcm("P5-08001", "Spiral Acquisition")),
            item(
                "CONTAINER",
                dcm("113829", "CT Dose"),
                number(dcm("113830", "Mean CTDIvol"), "7.25", MGY),
                number(dcm("113838", "DLP"), product, MGY_CM),
            ),
        )
        for index, product in enumerate(products)
    ]
    totals = item(
        "CONTAINER",
        dcm("113811", "CT Accumulated Dose Data"),
        number(
            dcm("113812", "Total Number of Irradiation Events"),
            str(len(products)),
            Code("{events}", "UCUM", "events"),
        ),
        number(dcm("113813", "CT Dose Length Product Total"), total, MGY_CM),
    )
    title = dcm("113701", "X-Ray Radiation Dose Report")
    return a_report(study, title, [totals, *events], sop_class=DOSE)


def an_xray_dose_report(study: str, products: Sequence[str], total: str) -> bytes:
    unit = Code("Gy.m2", "UCUM", "Gy.m2")
    events = [
        item(
            "CONTAINER",
            dcm("113706", "Irradiation Event X-Ray Data"),
            code(dcm("113721", "Irradiation Event Type"), dcm("113611", "Stationary Acquisition")),
            number(dcm("122130", "Dose Area Product"), product, unit),
        )
        for product in products
    ]
    totals = item(
        "CONTAINER",
        dcm("113702", "Accumulated X-Ray Dose Data"),
        number(dcm("113722", "Dose Area Product Total"), total, unit),
    )
    title = dcm("113701", "X-Ray Radiation Dose Report")
    return a_report(study, title, [totals, *events], sop_class=DOSE)


def a_selection(study: str, series: str, sop_class: str, images: Sequence[str]) -> bytes:
    data_set = a_document(KEY_OBJECTS, "KO", study)
    data_set.ValueType = "CONTAINER"
    data_set.ConceptNameCodeSequence = [coded(dcm("113000", "Of Interest"))]
    note = text(dcm("113012", "Key Object Description"), "Nodule, right upper lobe")
    data_set.ContentSequence = [note, *(image(sop_class, each) for each in images)]
    evidence, there = Dataset(), Dataset()
    there.SeriesInstanceUID = series
    there.ReferencedSOPSequence = [
        image(sop_class, each).ReferencedSOPSequence[0] for each in images
    ]
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = study, [there]
    data_set.CurrentRequestedProcedureEvidenceSequence = [evidence]
    return as_part10(data_set)


def a_paper(study: str, content: bytes) -> bytes:
    data_set = a_document(PDF, "DOC", study, DocumentTitle="Discharge letter")
    data_set.MIMETypeOfEncapsulatedDocument = "application/pdf"
    data_set.EncapsulatedDocumentLength = len(content)
    data_set.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return as_part10(data_set)
