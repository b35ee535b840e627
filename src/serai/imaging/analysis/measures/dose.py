"""Radiation dose from a dose report (RDSR; PS3.16 TID 10001, TID 10011), if it adds up.

The parts summed must equal the total stated; a value that is not one number is never taken for
one ("10.50/ 15.00" has been seen).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from serai.imaging.analysis.outcome import Abstained, Code, Figure, Given, Measured
from serai.imaging.dataset import part10
from serai.imaging.dataset.model_json import Attributes, JsonModel, first_text

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
DEEPEST = 32
# Totals and parts are rounded each for itself.
ROUNDING = 0.005
CONCEPT, VALUE_TYPE, CONTENT = "0040A043", "0040A040", "0040A730"
MEASURED, UNITS, NUMERIC = "0040A300", "004008EA", "0040A30A"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of report says its total and its parts (codes of DCM), in steps of `digit`."""

    totals: str
    total: Code
    parts: str
    part: str
    unit: str
    digit: float


CT_TOTAL = Code("113813", "CT Dose Length Product Total", "DCM")
AREA_TOTAL = Code("113722", "Dose Area Product Total", "DCM")
CT = Kind("113811", CT_TOTAL, "113819", "113838", "mGy.cm", 0.01)
PROJECTION = Kind("113702", AREA_TOTAL, "113706", "122130", "Gy.m2", 1e-8)
EVENTS = Code("113812", "Total Number of Irradiation Events", "DCM")


@dataclass(frozen=True, slots=True)
class Item:
    """One content item: what it is about, its number if it has one, and what lies under it."""

    code: str
    written: str | None
    unit: str
    under: tuple[Item, ...]

    def all(self, code: str) -> Iterator[Item]:
        """This item and those under it of one concept."""
        if self.code == code:
            yield self
        for each in self.under:
            yield from each.all(code)


def measure(given: Given) -> Measured:
    figures: list[Figure] = []
    for path in given.files:
        file = part10.read(path.read_bytes())
        model = JsonModel(file.data, file.encoding, lambda *_: "")
        figures += _of_report(_item(model.attributes(file.elements), 0))
    if not figures:
        raise Abstained("analysis.no-dose")
    totals = {figure.code: 0.0 for figure in figures}
    for figure in figures:
        totals[figure.code] += figure.value
    units = {figure.code: figure.unit for figure in figures}
    return Measured([Figure(code, round(value, 6), units[code]) for code, value in totals.items()])


def _of_report(root: Item) -> list[Figure]:
    for kind in (CT, PROJECTION):
        stated = [found for each in root.all(kind.totals) for found in each.all(kind.total.value)]
        if stated:
            return _checked(root, kind, stated)
    return []


def _checked(root: Item, kind: Kind, stated: list[Item]) -> list[Figure]:
    total = sum(_number(each, kind.unit) for each in stated)
    parts = [found for each in root.all(kind.parts) for found in each.all(kind.part)]
    summed = sum(_number(each, kind.unit) for each in parts)
    if abs(summed - total) > max(ROUNDING * abs(total), kind.digit * len(parts)):
        raise Abstained(
            "analysis.dose-differs",
            summed=f"{summed:.6g}", stated=f"{total:.6g}", unit=kind.unit,
        )  # fmt: skip
    figures = [Figure(kind.total, total, kind.unit)]
    events = [_count(each) for each in root.all(EVENTS.value)]
    if kind is CT and len(events) == 1 and events[0] is not None:
        figures.append(Figure(EVENTS, events[0], "{events}"))
    return figures


def _number(item: Item, unit: str) -> float:
    value = (item.written or "").strip()
    if not NUMBER.fullmatch(value):
        raise Abstained("analysis.dose-unreadable", concept=item.code)
    if item.unit != unit:
        raise Abstained("analysis.dose-unit", concept=item.code, unit=item.unit[:16])
    return float(value)


def _count(item: Item) -> int | None:
    value = (item.written or "").strip()
    return int(float(value)) if NUMBER.fullmatch(value) else None


def _item(attributes: Attributes, depth: int) -> Item:
    if depth > DEEPEST:
        raise Abstained("analysis.too-deep")
    measured = _first(attributes, MEASURED)
    under = attributes.get(CONTENT, {}).get("Value", [])
    # Every value as it was written: several are not one number.
    numbers = measured.get(NUMERIC, {}).get("Value", []) if measured else []
    return Item(
        code=first_text(_first(attributes, CONCEPT), "00080100"),
        written=str(numbers[0]) if len(numbers) == 1 else None,
        unit=first_text(_first(measured, UNITS), "00080100"),
        under=tuple(_item(each, depth + 1) for each in under),
    )


def _first(attributes: Attributes, tag: str) -> Any:
    values = attributes.get(tag, {}).get("Value") or [{}]
    return values[0] or {}
