"""Low attenuation areas of the lungs (%LAA-950), where kernel and slices allow it.

The share of the lungs below −950 HU. The lungs are found by a stated method, plane by plane:
the body is the largest region of at least −500 HU with its holes filled; the lungs are what is
below −500 HU inside it and covers at least 6 cm² in one piece, so that the airways in the middle
are left out where they stand alone. Validated on phantoms only.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from serai.imaging.analysis.measures import geometry
from serai.imaging.analysis.measures.geometry import Slice, Stack
from serai.imaging.analysis.outcome import Abstained, Code, Figure, Given, Measured, Region

AIR_HU, EMPHYSEMA_HU = -500, -950
LARGE_ENOUGH_MM2 = 600.0
THICKEST_MM = 1.5
# Soft kernels that quantitative studies of the lungs were made with; others change the share.
KERNELS = frozenset({"STANDARD", "B30F", "B31F", "B35F", "B", "FC03"})
# Outside this, something else than two whole lungs was found.
LUNGS_ML = (1_000.0, 10_000.0)
SHARE = Code("laa-950", "Low attenuation area below -950 HU")
VOLUME = Code("lung-volume", "Volume of both lungs")
LUNGS = Code("lungs", "Lungs, found by threshold")
LOW = Code("low-attenuation", "Lung below -950 HU")


def measure(given: Given) -> Measured:
    found = geometry.slices(given.files)
    _allowed(found)
    stacked = geometry.stack(found)
    _whole(stacked)
    spacing = _pixel(found)
    units = geometry.volume(stacked)
    lungs = np.stack([_lungs(plane, spacing) for plane in units])
    voxel_ml = spacing[0] * spacing[1] * stacked.spacing / 1000
    volume = float(lungs.sum()) * voxel_ml
    if not LUNGS_ML[0] <= volume <= LUNGS_ML[1]:
        raise Abstained("analysis.lungs-not-found", millilitres=round(volume))
    low = lungs & (units < EMPHYSEMA_HU)
    share = 100.0 * float(low.sum()) / float(lungs.sum())
    return Measured(
        [Figure(SHARE, round(share, 2), "%"), Figure(VOLUME, round(volume), "mL")],
        regions=[Region(LUNGS, lungs), Region(LOW, low)],
        images=[each.header for each in stacked.slices],
    )


def _allowed(found: list[Slice]) -> None:
    kernel = geometry.one_of(found, "ConvolutionKernel").upper()
    if not kernel:
        raise Abstained("analysis.attribute-missing", attribute="ConvolutionKernel")
    if kernel not in KERNELS:
        raise Abstained("analysis.kernel", kernel=kernel[:16])
    thickness = geometry.number_of_all(found, "SliceThickness")
    if thickness > THICKEST_MM:
        raise Abstained("analysis.too-thick", thickness=thickness, most=THICKEST_MM)
    if any(geometry.text(each.header, "ContrastBolusAgent") for each in found):
        raise Abstained("analysis.contrast")


def _whole(stacked: Stack) -> None:
    """Parallel, upright, evenly spaced without gaps: anything else counts volume wrongly."""
    if geometry.directions(stacked.slices) > 1 or geometry.tilt(stacked) > 1.0:
        raise Abstained("analysis.not-a-volume")
    steps = stacked.steps
    if steps.min() <= geometry.SAME_PLACE_MM or np.ptp(steps) > 0.1 * stacked.spacing:
        raise Abstained("analysis.not-a-volume")
    if stacked.spacing > THICKEST_MM:
        raise Abstained("analysis.too-thick", thickness=stacked.spacing, most=THICKEST_MM)


def _pixel(found: list[Slice]) -> tuple[float, float]:
    geometry.one_of(found, "PixelSpacing")
    spacing = found[0].header.get("PixelSpacing")
    if not spacing:
        raise Abstained("analysis.attribute-missing", attribute="PixelSpacing")
    return float(spacing[0]), float(spacing[1])


def _lungs(plane: Any, spacing: tuple[float, float]) -> Any:
    solid = (plane >= AIR_HU).astype(np.uint8)
    outlines, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return np.zeros(plane.shape, bool)
    body = np.zeros(plane.shape, np.uint8)
    largest = max(outlines, key=cv2.contourArea)
    cv2.drawContours(body, [largest], -1, 1, cv2.FILLED)
    inside = ((body == 1) & (plane < AIR_HU)).astype(np.uint8)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    areas = statistics[:, cv2.CC_STAT_AREA] * spacing[0] * spacing[1]
    large = areas >= LARGE_ENOUGH_MM2
    # Label 0 is everything else.
    large[0] = False
    return large[labels]
