"""`measure`: from a recording to intervals, each with where it comes from, or left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from serai.imaging.ecg.measuring.beats import median_beat, r_peaks
from serai.imaging.ecg.measuring.delineating import Places, by_level, by_slope
from serai.imaging.ecg.model import Ecg, Interval, Samples

# Two ways that differ by more than this are not averaged: at least one of them is wrong.
AGREED_MS = 20.0
# What no living heart shows is a fault of the measurement, whatever agrees on it.
POSSIBLE: Mapping[Interval, tuple[float, float]] = {
    Interval.PR: (60, 360),
    Interval.QRS: (40, 240),
    Interval.QT: (200, 700),
}
# Successive intervals that differ by more than a tenth of the usual one, in a fifth of the cases.
UNEVEN, OFTEN = 0.10, 0.20
FEWEST_BEATS = 4
# The first minute stands for a long recording; beyond it only the rhythm would be of interest.
MEASURED_S = 60.0
SMALLEST = 20.0


class Source(StrEnum):
    """Whose number it is."""

    DEVICE = "device"
    SERAI = "serai"


class Why(StrEnum):
    """Why there is no number."""

    DIFFER = "methods-differ"
    NOT_FOUND = "not-found"
    TOO_FEW = "too-few-beats"


@dataclass(frozen=True, slots=True)
class Found:
    """One measurement: its value, or why there is none; `ways` are what each method said."""

    value: float | None
    source: Source
    why: Why | None = None
    ways: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurements:
    """All of one recording; preliminary until a doctor has looked at them."""

    found: Mapping[Interval, Found] = field(default_factory=dict)
    # Heart-rate corrected QT by Bazett's and Fridericia's formulas.
    bazett: float | None = None
    fridericia: float | None = None
    beats: int = 0
    irregular: bool = False

    def value(self, interval: Interval) -> float | None:
        found = self.found.get(interval)
        return found.value if found else None


def measure(ecg: Ecg) -> Measurements:
    """What the device measured, else what two ways of our own agree on."""
    leads = _usable(ecg)
    peaks = r_peaks(leads, ecg.rate) if leads.size else np.array([], int)
    irregular = is_irregular(peaks)
    ours = {**_rhythm(peaks, ecg.rate), **_intervals(leads, peaks, ecg.rate)}
    device = {
        name: Found(value, Source.DEVICE)
        for name, value in ecg.said.intervals.items()
        if name in ours and value > 0
    }
    found = {**ours, **device}
    qt, rr = found[Interval.QT].value, _rr(found)
    return Measurements(
        found,
        corrected(qt, rr, 1 / 2),
        corrected(qt, rr, 1 / 3),
        len(peaks),
        irregular,
    )


def corrected(qt: float | None, rr: float | None, power: float) -> float | None:
    """QT over a power of RR in seconds: 1/2 is Bazett's formula, 1/3 Fridericia's."""
    return None if qt is None or not rr else float(qt / (rr / 1000) ** power)


def is_irregular(peaks: NDArray[np.int_]) -> bool:
    """Only a reason to look: many rhythms, and some normal ones, are irregular."""
    if len(peaks) < FEWEST_BEATS:
        return False
    intervals = np.diff(peaks)
    change = np.abs(np.diff(intervals)) / np.median(intervals)
    return bool((change > UNEVEN).mean() > OFTEN)


def _rr(found: Mapping[Interval, Found]) -> float | None:
    rr, rate = found[Interval.RR].value, found[Interval.RATE].value
    return rr if rr else 60_000 / rate if rate else None


def _usable(ecg: Ecg) -> Samples:
    """The first minute of the leads that have a signal."""
    length = min(ecg.length, int(MEASURED_S * ecg.rate))
    leads = [lead.samples[:length] for lead in ecg.leads]
    alive = [
        lead for lead in leads if length and np.isfinite(lead).all() and np.ptp(lead) > SMALLEST
    ]
    return np.array(alive) if length >= 2 * ecg.rate and alive else np.empty((0, 0))


def _rhythm(peaks: NDArray[np.int_], rate: float) -> dict[Interval, Found]:
    if len(peaks) < FEWEST_BEATS:
        missing = Found(None, Source.SERAI, Why.TOO_FEW)
        return {Interval.RR: missing, Interval.RATE: missing}
    intervals = np.diff(peaks) / rate * 1000
    # Beats counted, and the usual interval: a beat missed or taken twice sets them apart.
    counted = float(intervals.mean())
    usual = float(np.median(intervals))
    if abs(counted - usual) > 0.1 * usual and not is_irregular(peaks):
        missing = Found(None, Source.SERAI, Why.DIFFER, (counted, usual))
        return {Interval.RR: missing, Interval.RATE: missing}
    return {
        Interval.RR: Found(counted, Source.SERAI, ways=(counted, usual)),
        Interval.RATE: Found(60_000 / counted, Source.SERAI),
    }


def _intervals(leads: Samples, peaks: NDArray[np.int_], rate: float) -> dict[Interval, Found]:
    beat = median_beat(leads, rate, peaks) if len(peaks) >= FEWEST_BEATS else None
    if beat is None:
        return dict.fromkeys(POSSIBLE, Found(None, Source.SERAI, Why.TOO_FEW))
    ways = [_lengths(way(*beat, rate), rate) for way in (by_slope, by_level)]
    return {name: _agreed(name, [way.get(name) for way in ways]) for name in POSSIBLE}


def _lengths(places: Places, rate: float) -> dict[Interval, float]:
    pairs = {
        Interval.PR: (places.p_begin, places.qrs_begin),
        Interval.QRS: (places.qrs_begin, places.qrs_end),
        Interval.QT: (places.qrs_begin, places.t_end),
    }
    return {
        name: (end - begin) / rate * 1000
        for name, (begin, end) in pairs.items()
        if begin is not None and end is not None
    }


def _agreed(name: Interval, ways: list[float | None]) -> Found:
    values = tuple(value for value in ways if value is not None)
    low, high = POSSIBLE[name]
    if len(values) < len(ways) or not all(low <= value <= high for value in values):
        return Found(None, Source.SERAI, Why.NOT_FOUND, values)
    if max(values) - min(values) > AGREED_MS:
        return Found(None, Source.SERAI, Why.DIFFER, values)
    return Found(sum(values) / len(values), Source.SERAI, ways=values)
