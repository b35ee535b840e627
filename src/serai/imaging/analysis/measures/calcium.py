"""Agatston score (JACC 1990;15:827) in arteries that a reader has marked in a segmentation.

In each slice and artery: connected pixels of at least 130 HU that cover at least 1 mm²; area in
mm² times 1, 2, 3 or 4 for a peak from 130, 200, 300 or 400 HU on; summed, times thickness / 3 mm.
Only for 120 kV and scans gated by the ECG, as the score is defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from highdicom.seg import Segmentation, segread
from pydicom.dataset import Dataset

from serai.imaging.analysis.measures import geometry
from serai.imaging.analysis.measures.geometry import Slice, Stack
from serai.imaging.analysis.outcome import Abstained, Code, Figure, Given, Measured

CALCIUM_HU = 130
SMALLEST_MM2 = 1.0
PEAKS = (200, 300, 400)
NOMINAL_THICKNESS_MM = 3.0
KILOVOLTS = 120.0
SCORE = Code("agatston", "Agatston score")
ARTERIES: Mapping[str, Code] = {
    "LM": Code("3227004", "Left main coronary artery", "SCT"),
    "LAD": Code("59438005", "Left anterior descending coronary artery", "SCT"),
    "LCX": Code("57396003", "Circumflex coronary artery", "SCT"),
    "RCA": Code("13647002", "Right coronary artery", "SCT"),
}
BY_CODE = {code.value: name for name, code in ARTERIES.items()}
GATED = ("PROSPECTIVE", "RETROSPECTIVE", "PACED")
# What vendors write into Scan Options of a gated scan.
GATED_OPTIONS = ("CARD", "ECG", "GATE", "GATING")


def measure(given: Given) -> Measured:
    marks = _marks(given)
    found = geometry.slices(given.related)
    _allowed(found)
    stacked = geometry.stack(found)
    thickness = _thickness(stacked)
    spacing = found[0].header.get("PixelSpacing")
    geometry.one_of(found, "PixelSpacing")
    if not spacing:
        raise Abstained("analysis.attribute-missing", attribute="PixelSpacing")
    area = float(spacing[0]) * float(spacing[1])
    units = geometry.volume(stacked)
    figures = []
    for name, mask in _masks(marks, stacked).items():
        scored = sum(
            plane_score(plane, marked, area) for plane, marked in zip(units, mask, strict=True)
        )
        value = round(scored * thickness / NOMINAL_THICKNESS_MM, 1)
        figures.append(Figure(SCORE, value, "{score}", ARTERIES[name]))
    total = round(sum(figure.value for figure in figures), 1)
    evidence = [marks, *(each.header for each in stacked.slices)]
    return Measured([Figure(SCORE, total, "{score}"), *figures], images=evidence)


def plane_score(plane: Any, marked: Any, pixel_mm2: float) -> float:
    """Area times weight of every lesion of one slice."""
    calcium = ((plane >= CALCIUM_HU) & marked).astype(np.uint8)
    count, labels = cv2.connectedComponents(calcium, connectivity=8)
    score = 0.0
    for lesion in range(1, count):
        inside = labels == lesion
        area = float(inside.sum()) * pixel_mm2
        if area >= SMALLEST_MM2:
            peak = int(plane[inside].max())
            score += area * (1 + sum(peak >= step for step in PEAKS))
    return score


def _marks(given: Given) -> Segmentation:
    if len(given.files) != 1 or not given.related:
        raise Abstained("analysis.no-marks")
    marks = segread(given.files[0])
    if not any(_artery(each) for each in marks.SegmentSequence):
        raise Abstained("analysis.no-marks")
    if any(str(each.get("SegmentAlgorithmType")) == "AUTOMATIC" for each in marks.SegmentSequence):
        raise Abstained("analysis.not-marked-by-a-reader")
    return marks


def _artery(segment: Dataset) -> str:
    """By the code of what was segmented, else by a label that is one of the four names."""
    coded = segment.get("SegmentedPropertyTypeCodeSequence") or [Dataset()]
    by_code = BY_CODE.get(str(coded[0].get("CodeValue", "")), "")
    label = str(segment.get("SegmentLabel", "")).strip().upper()
    return by_code or (label if label in ARTERIES else "")


def _allowed(found: Sequence[Slice]) -> None:
    kilovolts = geometry.number_of_all(found, "KVP")
    if kilovolts != KILOVOLTS:
        raise Abstained("analysis.kilovolts", found=kilovolts, wanted=KILOVOLTS)
    if not all(_gated(each.header) for each in found):
        raise Abstained("analysis.not-gated")
    if any(geometry.text(each.header, "ContrastBolusAgent") for each in found):
        raise Abstained("analysis.contrast")


def _gated(header: Dataset) -> bool:
    if geometry.text(header, "CardiacSynchronizationTechnique") in GATED:
        return True
    if geometry.number(header, "NominalPercentageOfCardiacPhase") is not None:
        return True
    options = geometry.text(header, "ScanOptions").upper()
    return any(option in options for option in GATED_OPTIONS)


def _thickness(stacked: Stack) -> float:
    """Slices side by side: where they overlap or leave gaps, the score is another one."""
    thickness = geometry.number_of_all(stacked.slices, "SliceThickness")
    steps = stacked.steps
    if geometry.directions(stacked.slices) > 1 or (np.abs(steps - thickness) > 0.1).any():
        raise Abstained("analysis.slices-not-side-by-side")
    return thickness


def _masks(marks: Segmentation, stacked: Stack) -> dict[str, Any]:
    """One mask per artery, plane by plane as the slices are; several segments add up."""
    images = [each.header.SOPInstanceUID for each in stacked.slices]
    masks: dict[str, Any] = {}
    for segment in marks.SegmentSequence:
        name = _artery(segment)
        if name:
            marked = marks.get_pixels_by_source_instance(
                images,
                segment_numbers=[int(segment.SegmentNumber)],
                assert_missing_frames_are_empty=True,
                ignore_spatial_locations=True,
            )[..., 0].astype(bool)
            masks[name] = masks.get(name, False) | marked
    return masks
