"""Radiation dose as devices report it: CT (TID 10011), projection X-ray (TID 10001), and what
images say of themselves where no report came."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.documents.content import Code, Item, Number, Report, number_of

CT_TOTALS, CT_EVENT, CT_DOSE = "113811", "113819", "113829"
CT_EVENTS_TOTAL, DLP_TOTAL, CTDIVOL, DLP = "113812", "113813", "113830", "113838"
PHANTOM, ACQUISITION_TYPE, SSDE = "113835", "113820", "113930"
X_TOTALS, X_EVENT, PLANE = "113702", "113706", "113764"
DAP, DAP_TOTAL, RP, RP_TOTAL = "122130", "113722", "113738", "113725"
AGD, AGD_TOTAL = "111631", "111637"
FLUORO_TIME = "113730"
DOSE_REPORT = "113701"
EVENT_TYPE, PROTOCOL, STARTED, KVP = "113721", "125203", "111526", "113733"
# What the last digits leave open; devices add up before they round.
TOLERANCE = 0.01
# Images: dose area product (PS3.3 §C.8.7.2), CTDIvol, glandular dose.
IMAGE_DAP, IMAGE_CTDIVOL, IMAGE_AGD = "0018115E", "00189345", "00400316"


@dataclass(frozen=True, slots=True)
class Event:
    """One irradiation."""

    protocol: str
    kind: str
    plane: str
    started: str
    kvp: Number | None
    ctdivol: Number | None = None
    phantom: str = ""
    ssde: Number | None = None
    dlp: Number | None = None
    dap: Number | None = None
    reference_point: Number | None = None
    glandular: Number | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """What the events come to beside what the device states; None where that cannot be said."""

    name: str
    unit: str
    added: float | None
    stated: float | None
    stated_text: str
    unreadable: int
    rounding: float

    @property
    def agrees(self) -> bool | None:
        """None when there is nothing to compare, or an event's value is not a number."""
        if self.added is None or self.stated is None or self.unreadable:
            return None
        return math.isclose(self.added, self.stated, rel_tol=TOLERANCE, abs_tol=self.rounding)


@dataclass(frozen=True, slots=True)
class DoseReport:
    """A whole report; its events in the order written."""

    title: str
    events: tuple[Event, ...]
    sums: tuple[Sum, ...]
    events_stated: Number | None
    fluoroscopy: tuple[Number, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageDose:
    """What the header of an image says of its own exposure."""

    name: str
    number: Number


def dose_of(report: Report) -> DoseReport:
    found = list(report.root.walk())
    events = (
        *(_ct_event(each) for each in found if each.is_called(CT_EVENT)),
        *(_x_event(each) for each in found if each.is_called(X_EVENT)),
    )
    totals = [each for each in found if each.is_called(CT_TOTALS, X_TOTALS)]
    stated = [number for each in totals if (number := _number(each, CT_EVENTS_TOTAL))]
    times = (_number(each, FLUORO_TIME) for each in totals)
    sums = (
        _sum("DLP", [each.dlp for each in events], _stated(totals, DLP_TOTAL)),
        _sum("DAP", [each.dap for each in events], _stated(totals, DAP_TOTAL)),
        _sum("RP", [each.reference_point for each in events], _stated(totals, RP_TOTAL)),
        _sum("AGD", [each.glandular for each in events], _stated(totals, AGD_TOTAL)),
    )
    return DoseReport(
        title=report.title,
        events=events,
        sums=tuple(each for each in sums if each is not None),
        events_stated=stated[0] if stated else None,
        fluoroscopy=tuple(each for each in times if each),
    )


def of_image(attributes: Attributes) -> tuple[ImageDose, ...]:
    """Dose area product and CTDIvol of a picture, for those that came without a report."""
    wanted = (
        ("DAP", IMAGE_DAP, "dGy.cm2"),
        ("CTDIvol", IMAGE_CTDIVOL, "mGy"),
        ("AGD", IMAGE_AGD, "dGy"),
    )
    found = []
    for name, tag, unit in wanted:
        text = first_text(attributes, tag)
        if text and number_of(text) != 0:
            number = Number(text, number_of(text), Code(unit, "UCUM", unit))
            found.append(ImageDose(name, number))
    return tuple(found)


def _ct_event(item: Item) -> Event:
    return Event(
        protocol=_text(item, PROTOCOL),
        kind=_meaning(item, ACQUISITION_TYPE),
        plane="",
        started=_text(item, STARTED),
        kvp=_number(item, KVP),
        ctdivol=_number(item, CTDIVOL),
        phantom=_meaning(item, PHANTOM),
        ssde=_number(item, SSDE),
        dlp=_number(item, DLP),
    )


def _x_event(item: Item) -> Event:
    return Event(
        protocol=_text(item, PROTOCOL),
        kind=_meaning(item, EVENT_TYPE),
        plane=_meaning(item, PLANE),
        started=_text(item, STARTED),
        kvp=_number(item, KVP),
        dap=_number(item, DAP),
        reference_point=_number(item, RP),
        glandular=_number(item, AGD),
    )


def _within(item: Item, value: str) -> Item | None:
    return next((each for each in item.walk() if each.is_called(value)), None)


def _number(item: Item, value: str) -> Number | None:
    found = _within(item, value)
    return found.number if found and found.number and found.number.text else None


def _text(item: Item, value: str) -> str:
    found = _within(item, value)
    return found.text if found else ""


def _meaning(item: Item, value: str) -> str:
    found = _within(item, value)
    return found.code.meaning if found and found.code else ""


def _stated(totals: Sequence[Item], value: str) -> list[Number]:
    """One for each plane of a biplane system, for each breast; one for a CT."""
    found = (each for total in totals for each in total.walk() if each.is_called(value))
    return [each.number for each in found if each.number and each.number.text]


def _sum(name: str, each: Iterable[Number | None], stated: Sequence[Number]) -> Sum | None:
    numbers = [number for number in each if number is not None]
    if not numbers and not stated:
        return None
    added, unit = _added(numbers)
    total, stated_unit = _added(stated)
    alike = unit.replace(".", "") == stated_unit.replace(".", "")
    comparable = alike or not numbers or not stated
    return Sum(
        name=name,
        unit=stated_unit if stated else unit,
        added=added if comparable else None,
        stated=total,
        stated_text=" + ".join(number.text for number in stated),
        unreadable=sum(1 for number in numbers if number.value is None),
        rounding=math.fsum((*map(_step, stated), *(_step(each) / 2 for each in numbers))),
    )


def _step(number: Number) -> float:
    """One in the last digit written."""
    try:
        exponent = Decimal(number.text.strip()).as_tuple().exponent
    except InvalidOperation:
        return 0.0
    return 10.0**exponent if isinstance(exponent, int) else 0.0


def _added(numbers: Sequence[Number]) -> tuple[float | None, str]:
    """The sum of what are numbers; None when none are, or their units differ."""
    # Devices write "mGycm" for UCUM's "mGy.cm".
    units = {number.unit_text.replace(".", "") for number in numbers}
    values = [number.value for number in numbers if number.value is not None]
    total = math.fsum(values) if values and len(units) == 1 else None
    return total, numbers[0].unit_text if numbers else ""
