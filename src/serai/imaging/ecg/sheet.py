"""What goes where on ECG paper, in hundredths of a millimetre: layouts, speed, gain, filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from serai.imaging.ecg.measuring.signal import passed, without
from serai.imaging.ecg.model import LIMB, STANDARD, Ecg, Lead, Samples

# One hundredth of a millimetre: at 10 mm/mV exactly one microvolt.
MM = 100
SPEEDS = (25, 50)
GAINS = (5, 10, 20)
# Before the trace: the calibration pulse of 1 mV and 200 ms.
PULSE_S = 0.2
SECONDS = 10.0
FILTERS: Mapping[str, str] = {
    "baseline": "0.5 Hz",
    "mains50": "50 Hz",
    "mains60": "60 Hz",
    "muscle": "40 Hz",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of leads, each column with its share of the ten seconds; a rhythm strip below."""

    columns: Sequence[Sequence[str]]
    row_mm: int
    strip: bool = False

    @property
    def rows(self) -> int:
        return len(self.columns[0]) + self.strip

    @property
    def height_mm(self) -> int:
        return -(-self.rows * self.row_mm // 5) * 5


LAYOUTS: Mapping[str, Layout] = {
    "3x4": Layout((LIMB[:3], LIMB[3:], STANDARD[6:9], STANDARD[9:]), 35, strip=True),
    "6x2": Layout((LIMB, STANDARD[6:]), 25),
    "12x1": Layout((STANDARD,), 13),
}


@dataclass(frozen=True, slots=True)
class Style:
    """How somebody wants to see a recording."""

    layout: str = "3x4"
    speed: int = 25
    gain: int = 10
    strip: str = "II"
    filters: frozenset[str] = field(default_factory=frozenset)
    start: float = 0.0

    @property
    def shown(self) -> Layout:
        return LAYOUTS[self.layout]


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of one lead: from second to second of the recording, in a row of the sheet."""

    lead: Lead
    begin: float
    end: float
    row: int
    first: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A stretch of a recording on paper: seconds from `begin` to `end`."""

    style: Style
    rate: float
    begin: float
    end: float
    cells: Sequence[Cell]

    @property
    def lead_in_mm(self) -> int:
        """Room for the pulse, in whole big boxes."""
        return 10 if self.style.speed == 25 else 15

    @property
    def width_mm(self) -> int:
        traced = (self.end - self.begin) * self.style.speed
        return self.lead_in_mm + -(-round(traced) // 5) * 5 + 5

    @property
    def height_mm(self) -> int:
        return self.style.shown.height_mm


def sheet(ecg: Ecg, style: Style, *, seconds: float = SECONDS, skip: float = 0.0) -> Sheet:
    """What the style shows of a recording; `skip` and `seconds` cut it for narrow paper."""
    begin, end = style.start + skip, style.start + min(skip + seconds, SECONDS)
    filtered = {lead.name: lead for lead in ecg.leads}
    for name in _names(style, ecg):
        filtered[name] = Lead(name, _filtered(filtered[name].samples, ecg.rate, style.filters))
    cells = [
        cell
        for cell in _cells(style, filtered, ecg.seconds)
        if cell.end > begin and cell.begin < end
    ]
    cut = [
        Cell(cell.lead, max(cell.begin, begin), min(cell.end, end), cell.row, cell.first)
        for cell in cells
    ]
    return Sheet(style, ecg.rate, begin, end, cut)


def _names(style: Style, ecg: Ecg) -> set[str]:
    wanted = {name for column in _columns(style, ecg) for name in column} | {style.strip}
    return wanted & {lead.name for lead in ecg.leads}


def _columns(style: Style, ecg: Ecg) -> Sequence[Sequence[str]]:
    """The layout's leads; a recording of other leads shows what it has, in its own order."""
    names = [lead.name for lead in ecg.leads]
    if set(STANDARD) & set(names):
        return style.shown.columns
    rows = len(style.shown.columns[0])
    count = len(style.shown.columns)
    return [names[place * rows : (place + 1) * rows] for place in range(count)]


def _cells(style: Style, leads: Mapping[str, Lead], length: float) -> Iterator[Cell]:
    columns = _columns(style, Ecg(tuple(leads.values()), 1.0))
    share = SECONDS / len(columns)
    for place, column in enumerate(columns):
        begin = style.start + place * share
        for row, name in enumerate(column):
            if name in leads and begin < length:
                yield Cell(leads[name], begin, min(begin + share, length), row, place == 0)
    if style.shown.strip and style.strip in leads and style.start < length:
        end = min(style.start + SECONDS, length)
        yield Cell(leads[style.strip], style.start, end, style.shown.rows - 1, first=True)


def _filtered(samples: Samples, rate: float, filters: frozenset[str]) -> Samples:
    gaps = ~np.isfinite(samples)
    samples = np.where(gaps, 0.0, samples)
    above, below = 0.5 * ("baseline" in filters), 40.0 * ("muscle" in filters)
    if above or below:
        samples = passed(samples, rate, above=above, below=below)
    for name, mains in (("mains50", 50.0), ("mains60", 60.0)):
        if name in filters:
            samples = without(samples, rate, mains)
    samples[gaps] = np.nan
    return samples
