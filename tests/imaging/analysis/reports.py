"""Dose reports (PS3.16 TID 10011) with values exactly as written, right or wrong."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import XRayRadiationDoseSRStorage, generate_uid
from tests.imaging.objects import as_part10

# Stands in for a value while the report is written, because a writer refuses what is no number.
BLANK = "7777777777{:02}"
LENGTH = 12


def dose_report(total: str, parts: Sequence[str], *, unit: str = "mGy.cm") -> bytes:
    """The total of DLP, and one acquisition for each part."""
    values = [total, *parts]
    content = [
        _container("113811", _number("113812", len(parts), "{events}"),
                   _number("113813", BLANK.format(0), unit)),
        *(
            _container("113819", _container("113829", _number("113838", BLANK.format(n), unit)))
            for n, _ in enumerate(parts, start=1)
        ),
    ]  # fmt: skip
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = XRayRadiationDoseSRStorage, generate_uid()
    report.StudyInstanceUID, report.SeriesInstanceUID = generate_uid(), generate_uid()
    report.PatientID, report.PatientName = "P1", "Li^Wei"
    report.PatientBirthDate, report.PatientSex = "19700515", "F"
    report.StudyDate, report.StudyTime, report.StudyID = "20260301", "101500", "1"
    report.AccessionNumber = report.ReferringPhysicianName = ""
    report.Modality, report.SeriesNumber, report.InstanceNumber = "SR", 9, 1
    report.ValueType, report.ConceptNameCodeSequence = "CONTAINER", [_code("113701")]
    report.ContentSequence = content
    written = as_part10(report)
    for number, value in enumerate(values):
        assert len(value) <= LENGTH
        written = written.replace(BLANK.format(number).encode(), value.ljust(LENGTH).encode())
    return written


def _container(code: str, *content: Dataset) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "CONTAINER"
    item.ConceptNameCodeSequence = [_code(code)]
    item.ContentSequence = list(content)
    return item


def _number(code: str, value: str | int, unit: str) -> Dataset:
    item, measured = Dataset(), Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "NUM"
    item.ConceptNameCodeSequence = [_code(code)]
    measured.NumericValue = str(value)
    measured.MeasurementUnitsCodeSequence = [_code(unit, "UCUM")]
    item.MeasuredValueSequence = [measured]
    return item


def _code(value: str, scheme: str = "DCM") -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, value
    return code
