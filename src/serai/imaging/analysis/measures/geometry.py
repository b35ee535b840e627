"""Where the slices of a series lie (PS3.3 §C.7.6.2): read once, for every analyser that asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from serai.imaging.analysis.outcome import Abstained

FEWEST_SLICES = 3
# Closer together than this, two slices lie at the same place.
SAME_PLACE_MM = 0.01
# Directions that differ by less are one direction written with few digits.
SAME_DIRECTION_DEGREES = 0.5


@dataclass(frozen=True, slots=True)
class Slice:
    """One image's plane: `normal` to it, `position` of its first pixel, both in mm."""

    header: Dataset
    path: Path
    normal: Any
    position: Any


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel slices in order along their normal; `places` are distances in mm."""

    slices: Sequence[Slice]
    places: Any

    @property
    def steps(self) -> Any:
        return np.diff(self.places)

    @property
    def spacing(self) -> float:
        """The usual distance from one place to the next."""
        steps = self.steps[self.steps > SAME_PLACE_MM]
        return float(np.median(steps)) if len(steps) else 0.0


def headers(files: Sequence[Path]) -> list[tuple[Path, Dataset]]:
    return [(path, dcmread(path, stop_before_pixels=True, force=True)) for path in files]


def slices(files: Sequence[Path]) -> list[Slice]:
    """The images that say where they lie; a scout view is none of them."""
    found = []
    for path, header in headers(files):
        if "LOCALIZER" in (header.get("ImageType") or ()):
            continue
        orientation = _numbers(header, "ImageOrientationPatient", 6)
        position = _numbers(header, "ImagePositionPatient", 3)
        if orientation is None or position is None:
            continue
        normal = np.cross(orientation[:3], orientation[3:])
        length = float(np.linalg.norm(normal))
        if length > 0.5:
            found.append(Slice(header, path, normal / length, position))
    if len(found) < FEWEST_SLICES:
        raise Abstained("analysis.too-few-slices", found=len(found), fewest=FEWEST_SLICES)
    return found


def directions(found: Sequence[Slice]) -> int:
    """How many ways the slices look."""
    known: list[Any] = []
    for each in found:
        if all(angle(each.normal, other) > SAME_DIRECTION_DEGREES for other in known):
            known.append(each.normal)
    return len(known)


def stack(found: Sequence[Slice]) -> Stack:
    normal = found[0].normal
    ordered = sorted(found, key=lambda each: float(np.dot(each.position, normal)))
    return Stack(ordered, np.array([float(np.dot(each.position, normal)) for each in ordered]))


def tilt(stacked: Stack) -> float:
    """Between the slices' normal and the way from the first to the last, in degrees."""
    way = stacked.slices[-1].position - stacked.slices[0].position
    return angle(way, stacked.slices[0].normal) if np.linalg.norm(way) > SAME_PLACE_MM else 0.0


def angle(one: Any, other: Any) -> float:
    cosine = np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def number(header: Dataset, keyword: str) -> float | None:
    found = _numbers(header, keyword, 1)
    return float(found[0]) if found is not None else None


def text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    several = value if isinstance(value, list | tuple) else [value]
    return "\\".join(str(each).strip() for each in several if each is not None)


def one_of(found: Sequence[Slice], keyword: str) -> str:
    """The value that all slices share; abstains when they differ."""
    values = {text(each.header, keyword) for each in found}
    if len(values) != 1:
        raise Abstained("analysis.mixed-attribute", attribute=keyword)
    return values.pop()


def number_of_all(found: Sequence[Slice], keyword: str) -> float:
    """The number that all slices share; abstains when it is missing or differs."""
    one_of(found, keyword)
    value = number(found[0].header, keyword)
    if value is None:
        raise Abstained("analysis.attribute-missing", attribute=keyword)
    return value


def volume(stacked: Stack) -> Any:
    """Hounsfield units, slice after slice, as 16-bit numbers."""
    planes = []
    for each in stacked.slices:
        image = dcmread(each.path)
        slope, intercept = number(image, "RescaleSlope"), number(image, "RescaleIntercept")
        if slope is None or intercept is None:
            raise Abstained("analysis.attribute-missing", attribute="RescaleSlope")
        if text(image, "RescaleType") not in ("", "HU"):
            raise Abstained("analysis.not-hounsfield")
        planes.append((image.pixel_array * slope + intercept).round().astype(np.int16))
    if len({plane.shape for plane in planes}) != 1 or planes[0].ndim != 2:
        raise Abstained("analysis.mixed-attribute", attribute="Rows")
    return np.stack(planes)


def _numbers(header: Dataset, keyword: str, count: int) -> Any:
    try:
        value = header.get(keyword)
        several = value if count > 1 else [value]
        found = np.array([float(each) for each in several or ()])
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and np.isfinite(found).all() else None
