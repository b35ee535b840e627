"""The signal: leads, reference beats, what was subtracted or thinned (EN 1064 §5.6 to 5.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serai.imaging.ecg.model import LEAD_CODES, Lead, Samples
from serai.imaging.ecg.scp import huffman
from serai.imaging.ecg.scp.huffman import Table
from serai.imaging.ecg.scp.sections import Reader, damaged
from serai.kernel.errors import Malformed, Unsupported

MOST_LEADS, MOST_SAMPLES, MOST_BEATS = 85, 4_000_000, 100_000


@dataclass(frozen=True, slots=True)
class Defined:
    """Section 3: where in the recording a lead has samples, counted from 1, both ends in."""

    code: int
    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1

    @property
    def name(self) -> str:
        return LEAD_CODES.get(self.code, f"#{self.code}")


@dataclass(frozen=True, slots=True)
class Beat:
    """Section 4: a QRS whose reference beat was subtracted, and the part that was not thinned."""

    type: int
    first: int
    fiducial: int
    last: int
    kept: tuple[int, int] = (0, -1)


@dataclass(frozen=True, slots=True)
class Located:
    """Section 4: the place of the fiducial point in the reference beat, and all beats."""

    milliseconds: int
    fiducial: int
    beats: Sequence[Beat]


@dataclass(frozen=True, slots=True)
class Stored:
    """Section 5 or 6: one run of numbers for each lead, and what a number is worth."""

    microvolts: float
    interval_us: int
    order: int
    bimodal: bool
    runs: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """All leads at one rate; what a lead does not cover is not a number."""

    leads: tuple[Lead, ...]
    rate: float
    resolution: float


def rhythm(found: Mapping[int, bytes]) -> Rhythm:
    if 3 not in found or 6 not in found:
        raise Malformed("ecg.no-waveform")
    defined, subtracted = _defined(found[3])
    tables = huffman.tables(found.get(2))
    stored = _stored(found[6], len(defined), 6)
    reference = _stored(found[5], len(defined), 5) if 5 in found else None
    located = _located(found[4], bimodal=stored.bimodal) if 4 in found else None
    if (stored.bimodal or subtracted) and located is None:
        raise damaged("section 4")
    step = _step(stored, reference)
    leads = [_lead(each, run, stored, step, tables, located)
             for each, run in zip(defined, stored.runs, strict=True)]  # fmt: skip
    if subtracted:
        if reference is None or located is None:
            raise damaged("section 5")
        beats = [_reference(run, reference, located, tables) for run in reference.runs]
        for each, samples, beat in zip(defined, leads, beats, strict=True):
            _add_beats(samples, each, beat, located)
    full_us = stored.interval_us // step
    return Rhythm(_side_by_side(defined, leads), 1e6 / full_us, stored.microvolts)


def _defined(section: bytes) -> tuple[list[Defined], bool]:
    reader = Reader(section, "section 3")
    count, flags = reader.numbers("BB")
    if not 0 < count <= MOST_LEADS:
        raise damaged("section 3")
    leads = []
    for _ in range(count):
        first, last, code = reader.numbers("IIB")
        if not 0 < first <= last <= MOST_SAMPLES:
            raise damaged("section 3")
        leads.append(Defined(code, first, last))
    return leads, bool(flags & 1)


def _located(section: bytes, *, bimodal: bool) -> Located:
    reader = Reader(section, "section 4")
    milliseconds, fiducial, count = reader.numbers("HHH")
    if count > MOST_BEATS:
        raise damaged("section 4")
    beats = [Beat(*reader.numbers("HIII")) for _ in range(count)]
    if bimodal:
        kept = [reader.numbers("II") for _ in range(count)]
        beats = [
            Beat(beat.type, beat.first, beat.fiducial, beat.last, (first, last))
            for beat, (first, last) in zip(beats, kept, strict=True)
        ]
    return Located(milliseconds, fiducial, beats)


def _stored(section: bytes, leads: int, number: int) -> Stored:
    reader = Reader(section, f"section {number}")
    nanovolts, interval, order, flag = reader.numbers("HHBB")
    if not nanovolts or not 100 <= interval <= 20_000:
        raise damaged(f"section {number}")
    lengths = reader.numbers(f"{leads}H")
    runs = [reader.take(length) for length in lengths]
    return Stored(nanovolts / 1000, interval, order, number == 6 and bool(flag), runs)


def _step(stored: Stored, reference: Stored | None) -> int:
    """How many samples of the recording one stored number stands for where it was thinned."""
    if reference is None or reference.interval_us == stored.interval_us:
        if stored.bimodal:
            raise Unsupported("ecg.not-supported", what="bimodal compression, rates")
        return 1
    step, rest = divmod(stored.interval_us, reference.interval_us)
    if rest or not 1 < step <= 4:
        raise Unsupported("ecg.not-supported", what="bimodal compression, rates")
    return step


def _lead(
    lead: Defined, run: bytes, stored: Stored, step: int,
    tables: Sequence[Table] | None, located: Located | None,
) -> Samples:  # fmt: skip
    zones = [beat.kept for beat in located.beats] if located and stored.bimodal else []
    places = _places(lead, zones, step)
    values = huffman.summed(huffman.decoded(run, tables, len(places)), stored.order)
    full = np.arange(lead.length, dtype=np.float64)
    if step == 1:
        return np.asarray(values * stored.microvolts, np.float64)
    return np.asarray(np.interp(full, places, values * stored.microvolts), np.float64)


def _places(lead: Defined, zones: Sequence[tuple[int, int]], step: int) -> Samples:
    """Where in the lead each stored number belongs: all within a zone, one of `step` outside."""
    if step == 1:
        return np.arange(lead.length, dtype=np.float64)
    every = np.zeros(lead.length + step, bool)
    for first, last in zones:
        every[max(first - lead.first, 0) : max(last - lead.first + 1, 0)] = True
    places, at = [], 0
    while at < lead.length:
        if every[at]:
            places.append(float(at))
            at += 1
        else:
            places.append(at + (step - 1) / 2)
            at += step
    return np.array(places)


def _reference(
    run: bytes, stored: Stored, located: Located, tables: Sequence[Table] | None
) -> Samples:
    count = located.milliseconds * 1000 // stored.interval_us
    if not 0 < count <= MOST_SAMPLES:
        raise damaged("section 4")
    values = huffman.summed(huffman.decoded(run, tables, count), stored.order)
    return np.asarray(values * stored.microvolts, np.float64)


def _add_beats(samples: Samples, lead: Defined, beat: Samples, located: Located) -> None:
    """The reference beat back to where it was subtracted, by their fiducial points (§5.7)."""
    for each in located.beats:
        if each.type != 0:
            continue
        shift = located.fiducial - each.fiducial
        first = max(each.first, lead.first, 1 - shift)
        last = min(each.last, lead.last, len(beat) - shift)
        if first <= last:
            part = beat[first + shift - 1 : last + shift]
            samples[first - lead.first : last - lead.first + 1] += part


def _side_by_side(defined: Sequence[Defined], leads: Sequence[Samples]) -> tuple[Lead, ...]:
    begin = min(each.first for each in defined)
    length = max(each.last for each in defined) - begin + 1
    if length * len(defined) > MOST_SAMPLES * 4:
        raise damaged("section 3")
    placed = []
    for each, samples in zip(defined, leads, strict=True):
        whole = np.full(length, np.nan)
        whole[each.first - begin : each.first - begin + len(samples)] = samples
        placed.append(Lead(each.name, whole))
    return tuple(placed)
