"""Series quality: whether the slices make a volume that can be measured and reformatted.

Geometry only, from the headers: no pixel is looked at. Only faults get into the record.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serai.imaging.analysis.measures import geometry
from serai.imaging.analysis.measures.geometry import Slice, Stack
from serai.imaging.analysis.outcome import Code, Figure, Finding, Given, Measured

TILT_DEGREES = 0.5
# A step that is so far from the usual one, in parts of it, is another step.
UNEVEN = 0.05
UNEVEN_MM = 0.02
SLICES = Code("slices", "Number of slices")
SPACING = Code("slice-spacing", "Distance between slices")
MISSING = Code("slices-missing", "Missing slices")
TILT = Code("tilt", "Tilt of the slices against their stacking")


def measure(given: Given) -> Measured:
    found = geometry.slices(given.files)
    findings = _mixtures(found)
    figures = [Figure(SLICES, len(found), "{slices}")]
    if geometry.directions(found) > 1:
        findings.append(
            Finding(
                Code("mixed-direction", "Slices look in several directions"),
                {"count": geometry.directions(found)},
            )
        )
        return Measured(figures, findings)
    stacked = geometry.stack(found)
    more_figures, more_findings = _spaced(stacked)
    findings += more_findings
    # A series without fault needs no further series to say so.
    return Measured([*figures, *more_figures], findings, silent=not findings)


def _mixtures(found: Sequence[Slice]) -> list[Finding]:
    wanted = (
        ("PatientID", Code("mixed-patient", "Several patients in one series")),
        ("FrameOfReferenceUID", Code("mixed-frame", "Several frames of reference in one series")),
    )
    findings = []
    for keyword, code in wanted:
        values = {geometry.text(each.header, keyword) for each in found}
        if len(values) > 1:
            findings.append(Finding(code, {"count": len(values)}))
    return findings


def _spaced(stacked: Stack) -> tuple[list[Figure], list[Finding]]:
    findings = []
    steps, usual = stacked.steps, stacked.spacing
    doubled = int((steps <= geometry.SAME_PLACE_MM).sum())
    if doubled:
        code = Code("doubled-position", "Several slices at the same position")
        findings.append(Finding(code, {"count": doubled}))
    apart = steps[steps > geometry.SAME_PLACE_MM]
    missing, uneven = _gaps(apart, usual)
    if missing:
        code = Code("slices-missing", "Slices are missing")
        findings.append(Finding(code, {"count": missing}))
    if len(uneven):
        code = Code("uneven-spacing", "Distances between slices differ")
        shortest, longest = f"{min(apart):.2f}", f"{max(apart):.2f}"
        findings.append(Finding(code, {"shortest": shortest, "longest": longest}))
    tilt = _tilt(stacked)
    if tilt > TILT_DEGREES:
        code = Code("gantry-tilt", "The gantry was tilted")
        findings.append(Finding(code, {"degrees": f"{tilt:.1f}"}))
    figures = [Figure(MISSING, missing, "{slices}"), Figure(TILT, round(tilt, 2), "deg")]
    if usual:
        figures.insert(0, Figure(SPACING, round(usual, 3), "mm"))
    return figures, findings


def _gaps(apart: np.ndarray, usual: float) -> tuple[int, np.ndarray]:
    """How many slices would fill the holes, and the steps that no whole number explains."""
    if not len(apart):
        return 0, apart
    times = np.round(apart / usual)
    explained = (np.abs(apart - times * usual) <= max(UNEVEN * usual, UNEVEN_MM)) & (times >= 1)
    return int((times[explained] - 1).sum()), apart[~explained]


def _tilt(stacked: Stack) -> float:
    """As the positions show it, or as the device wrote it (0018,1120)."""
    written = geometry.number(stacked.slices[0].header, "GantryDetectorTilt") or 0.0
    return max(geometry.tilt(stacked), abs(written))
