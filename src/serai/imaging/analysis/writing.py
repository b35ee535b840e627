"""The outcome as DICOM: a measurement report (TID 1500) and, for regions, a segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    TrackingIdentifier,
)
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from serai.imaging.analysis.outcome import Code, Figure, Given, Measured

MANUFACTURER = "Serai"
REPORT, SEGMENTATION = "report.dcm", "segmentation.dcm"
# Behind everything a modality numbers.
SERIES_NUMBER = 9000


def written(measured: Measured, given: Given, order: dict[str, Any]) -> list[str]:
    """The files made, in the folder of the box."""
    evidence = list(measured.images) or [
        dcmread(path, stop_before_pixels=True, force=True) for path in given.files
    ]
    made = [(REPORT, _report(measured, evidence, order))]
    if measured.regions:
        made.append((SEGMENTATION, _segmentation(measured, evidence, order)))
    for name, data_set in made:
        _dated(data_set, datetime.fromisoformat(order["at"]))
        data_set.save_as(name, enforce_file_format=True)
    return [name for name, _ in made]


def _report(measured: Measured, evidence: Sequence[Dataset], order: dict[str, Any]) -> Dataset:
    algorithm = AlgorithmIdentification(
        name=order["title"][:64],
        version=order["revision"][:64],
        parameters=[f"sha256 {order['fingerprint']}", f"id {order['name']}"],
    )
    groups = [
        MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid=order["uids"]["tracking"], identifier=order["name"]
            ),
            algorithm_id=algorithm,
            finding_type=_concept(Code(order["name"], order["title"])),
            measurements=[_measurement(each) for each in measured.figures],
            qualitative_evaluations=[
                QualitativeEvaluation(
                    name=codes.DCM.Finding,
                    value=_concept(each.code),
                )
                for each in measured.findings
            ],
        )
    ]
    device = DeviceObserverIdentifyingAttributes(
        uid=order["uids"]["device"],
        name=order["title"][:64],
        manufacturer_name=order["manufacturer"][:64],
        model_name=f"{order['name']} {order['revision']}"[:64],
        serial_number=order["fingerprint"],
    )
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(
                observer_type=codes.DCM.Device, observer_identifying_attributes=device
            )
        ),
        procedure_reported=_concept(Code("automatic-analysis", "Automatic analysis")),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    return Comprehensive3DSR(
        evidence=evidence,
        content=content,
        series_number=SERIES_NUMBER,
        series_instance_uid=order["uids"]["report-series"],
        sop_instance_uid=order["uids"]["report"],
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=order["title"][:64],
    )


def _measurement(figure: Figure) -> Measurement:
    return Measurement(
        name=_concept(figure.code),
        value=figure.value,
        unit=CodedConcept(figure.unit, "UCUM", figure.unit if figure.unit != "1" else "no units"),
        finding_sites=[FindingSite(_concept(figure.site))] if figure.site else None,
    )


def _segmentation(measured: Measured, images: Sequence[Dataset], order: dict[str, Any]) -> Dataset:
    algorithm = AlgorithmIdentificationSequence(
        name=order["title"][:64],
        family=_concept(Code("threshold", "Threshold")),
        version=order["revision"][:64],
    )
    described = [
        SegmentDescription(
            segment_number=number,
            segment_label=region.code.meaning[:64],
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=_concept(region.code),
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
        )
        for number, region in enumerate(measured.regions, start=1)
    ]
    return Segmentation(
        source_images=list(images),
        pixel_array=np.stack([region.mask for region in measured.regions], axis=-1).astype(
            np.uint8
        ),
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=order["uids"]["segmentation-series"],
        series_number=SERIES_NUMBER + 1,
        sop_instance_uid=order["uids"]["segmentation"],
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=order["name"][:64],
        software_versions=order["revision"][:64],
        device_serial_number=order["fingerprint"],
        content_label="ANALYSIS",
        content_description=order["title"][:64],
        series_description=order["title"][:64],
    )


def _concept(code: Code) -> CodedConcept:
    return CodedConcept(code.value, code.scheme, code.meaning[:64])


def _dated(data_set: Dataset, at: datetime) -> None:
    """The moment the analysis was asked for, so that a second try writes the same object."""
    for prefix in ("Content", "Series", "InstanceCreation"):
        setattr(data_set, f"{prefix}Date", at.strftime("%Y%m%d"))
        setattr(data_set, f"{prefix}Time", at.strftime("%H%M%S"))
