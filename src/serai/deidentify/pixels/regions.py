"""Where a device writes what it knows of the patient: rules as data, and the object's own word.

`regions.tsv` has one rule a line: the beginning of the manufacturer's and the model's name, a
modality, a SOP class (or none), a size of picture (0 for any), and a rectangle in parts of the
picture's width and height. An ultrasound object that declares its regions (PS3.3 §C.8.5.5) loses
everything outside of them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from serai.deidentify.scrubbing.identity import folded


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels from left and top up to, not including, right and bottom."""

    left: int
    top: int
    right: int
    bottom: int

    def within(self, columns: int, rows: int) -> Box:
        return Box(
            max(self.left, 0),
            max(self.top, 0),
            min(self.right, columns),
            min(self.bottom, rows),
        )

    def mostly_in(self, other: Box) -> bool:
        """Whether more than half of it lies in the other."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        size = (self.right - self.left) * (self.bottom - self.top)
        return wide > 0 and high > 0 and 2 * wide * high > size


@dataclass(frozen=True, slots=True)
class DeviceRule:
    manufacturer: str
    model: str
    modality: str
    sop_class: str
    rows: int
    columns: int
    part: tuple[float, float, float, float]

    def fits(self, data_set: Any) -> bool:
        size = (int(data_set.Rows), int(data_set.Columns))
        return (
            _said(data_set, "Manufacturer").startswith(self.manufacturer)
            and _said(data_set, "ManufacturerModelName").startswith(self.model)
            and _said(data_set, "Modality") == self.modality
            and self.sop_class in ("", str(data_set.get("SOPClassUID")))
            and self.rows in (0, size[0])
            and self.columns in (0, size[1])
        )

    def box(self, data_set: Any) -> Box:
        rows, columns = int(data_set.Rows), int(data_set.Columns)
        left, top, right, bottom = self.part
        return Box(
            int(left * columns), int(top * rows), round(right * columns), round(bottom * rows)
        )


def _said(data_set: Any, keyword: str) -> str:
    return folded(str(data_set.get(keyword) or "")).strip()


@cache
def device_rules() -> tuple[DeviceRule, ...]:
    with (Path(__file__).parent / "regions.tsv").open(encoding="utf-8", newline="") as file:
        return tuple(
            DeviceRule(
                row["manufacturer"],
                row["model"],
                row["modality"],
                row["sop_class"],
                int(row["rows"]),
                int(row["columns"]),
                (float(row["left"]), float(row["top"]), float(row["right"]), float(row["bottom"])),
            )
            for row in csv.DictReader(file, delimiter="\t")
        )


def device_boxes(data_set: Any) -> list[Box]:
    """What the first rule that fits blanks; an object that declares its regions needs none."""
    if kept_boxes(data_set):
        return []
    return next(([rule.box(data_set)] for rule in device_rules() if rule.fits(data_set)), [])


def kept_boxes(data_set: Any) -> list[Box]:
    """The declared ultrasound regions, outside of which nothing stays."""
    found = []
    for item in data_set.get("SequenceOfUltrasoundRegions") or []:
        edges = [item.get(f"RegionLocation{edge}") for edge in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
        if None in edges:
            continue
        left, top, right, bottom = (int(edge) for edge in edges)
        if 0 <= left < right and 0 <= top < bottom:
            found.append(Box(left, top, right + 1, bottom + 1))
    return found
