"""HL7 Annotated ECG (ANSI/HL7 V3 ECG R1, 2004): rhythm, representative beat, annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from serai.imaging.ecg import markup
from serai.imaging.ecg.model import (
    CODES_OF_LEADS,
    Device,
    Ecg,
    Interval,
    Lead,
    Mark,
    Noted,
    Said,
    Samples,
    Subject,
)
from serai.kernel.errors import Malformed, Unsupported

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ROOT = "AnnotatedECG"
LEAD = "MDC_ECG_LEAD_"
NAMES = {name.upper(): name for name in CODES_OF_LEADS}
MICROVOLTS = {"uV": 1.0, "mV": 1e3, "V": 1e6, "nV": 1e-3}
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
INTERVALS = {
    "MDC_ECG_HEART_RATE": Interval.RATE,
    "MDC_ECG_TIME_PD_RR": Interval.RR,
    "MDC_ECG_TIME_PD_P": Interval.P,
    "MDC_ECG_TIME_PD_PR": Interval.PR,
    "MDC_ECG_TIME_PD_QRS": Interval.QRS,
    "MDC_ECG_TIME_PD_QT": Interval.QT,
    "MDC_ECG_TIME_PD_QTc": Interval.QTC,
    "MDC_ECG_ANGLE_P_FRONT": Interval.P_AXIS,
    "MDC_ECG_ANGLE_QRS_FRONT": Interval.QRS_AXIS,
    "MDC_ECG_ANGLE_T_FRONT": Interval.T_AXIS,
}
WAVES = {"MDC_ECG_WAVC_PWAVE": "P", "MDC_ECG_WAVC_QRSWAVE": "QRS", "MDC_ECG_WAVC_TWAVE": "T"}
STATEMENTS = ("MDC_ECG_INTERPRETATION_STATEMENT", "MDC_ECG_RHY")
NOTCH = "MDC_ECG_CTL_VBL_ATTR_FILTER_NOTCH_FREQ"
UPPER_CUT = "MDC_ECG_CTL_VBL_ATTR_FILTER_LOW_PASS"
LOWER_CUT = "MDC_ECG_CTL_VBL_ATTR_FILTER_HIGH_PASS"


def read(content: bytes) -> Ecg:
    root = markup.tree(content)
    series = [each for each in root.iter("series") if _code(each) == "RHYTHM"]
    series = series or list(root.iter("series"))
    if root.tag != ROOT or not series:
        raise Malformed("ecg.no-waveform")
    rhythm = max(series, key=lambda each: len(list(each.iterfind("component/sequenceSet"))))
    sets = [_Set(each) for each in rhythm.iterfind("component/sequenceSet")]
    leads, rate = _placed(sets)
    begin = sets[0].head
    return Ecg(
        leads=leads,
        rate=rate,
        at=markup.moment(begin) or _effective(root),
        said=_said(rhythm, begin),
        subject=_subject(root),
        device=_device(rhythm),
        median=_representative(rhythm, rate),
        resolution=min(each.resolution for each in sets),
    )


class _Set:
    """One sequenceSet: its time axis and its leads."""

    def __init__(self, element: Element) -> None:
        self.head, self.step, self.resolution = "", 0.0, 1e9
        self.leads: list[Lead] = []
        for sequence in element.iterfind("component/sequence"):
            code, found = _code(sequence), sequence.find("value")
            if code.startswith("TIME_"):
                self.head = markup.value(found.find("head") if found is not None else None)
                self.step = _quantity(found, "increment", SECONDS)
            elif code.startswith(LEAD) and found is not None:
                self._add(code.removeprefix(LEAD), found)
        if not self.leads or not 1e-4 <= self.step <= 0.02:
            raise Malformed("ecg.damaged", place="sequenceSet")

    def _add(self, name: str, found: Element) -> None:
        scale = _quantity(found, "scale", MICROVOLTS)
        origin = _quantity(found, "origin", MICROVOLTS, usual=0.0)
        digits = markup.samples(markup.text(found, "digits"), "digits")
        if not scale or abs(scale) > 1e6:
            raise Malformed("ecg.damaged", place="scale")
        self.resolution = min(self.resolution, abs(scale))
        self.leads.append(Lead(NAMES.get(name, name[:12]), digits * scale + origin))


def _placed(sets: Sequence[_Set]) -> tuple[tuple[Lead, ...], float]:
    """Leads that were recorded one after the other, on one axis."""
    step = sets[0].step if sets else 0.0
    if not sets:
        raise Malformed("ecg.no-waveform")
    if any(abs(each.step - step) > 1e-9 for each in sets):
        raise Unsupported("ecg.not-supported", what="aECG, rates")
    first = sets[0].head
    offsets = [round(_apart(first, each.head) / step) for each in sets]
    length = max(
        offset + len(lead.samples)
        for offset, each in zip(offsets, sets, strict=True)
        for lead in each.leads
    )
    if min(offsets) < 0 or length > markup.MOST_SAMPLES:
        raise Unsupported("ecg.not-supported", what="aECG, times")
    whole: dict[str, Samples] = {}
    for offset, each in zip(offsets, sets, strict=True):
        for lead in each.leads:
            samples = whole.setdefault(lead.name, np.full(length, np.nan))
            samples[offset : offset + len(lead.samples)] = lead.samples
    return tuple(Lead(name, samples) for name, samples in whole.items()), 1 / step


def _apart(first: str, second: str) -> float:
    begin, end = markup.moment(first), markup.moment(second)
    if begin and end:
        return (end - begin).total_seconds() + _fraction(second) - _fraction(first)
    return (markup.number(second) or 0.0) - (markup.number(first) or 0.0)


def _fraction(written: str) -> float:
    digits = written.partition(".")[2].split("+")[0].split("-")[0]
    return float(f"0.{digits}") if digits.isdecimal() else 0.0


def _representative(rhythm: Element, rate: float) -> tuple[Lead, ...]:
    for series in rhythm.iterfind("derivation/derivedSeries"):
        sets = [_Set(each) for each in series.iterfind("component/sequenceSet")]
        if sets and abs(1 / sets[0].step - rate) < 1e-6:
            return tuple(sets[0].leads)
    return ()


def _said(rhythm: Element, begin: str) -> Said:
    intervals: dict[Interval, float] = {}
    others, statements = [], []
    marks: list[Mark] = []
    for annotation in _annotations(rhythm):
        code, found = _code(annotation), annotation.find("value")
        amount = markup.number(markup.value(found))
        if code in INTERVALS and amount is not None:
            intervals.setdefault(INTERVALS[code], amount)
        elif code in STATEMENTS:
            statements.append(markup.value(found, "displayName") or markup.text(found))
        elif markup.value(found, "code") in WAVES:
            marks += _wave(annotation, WAVES[markup.value(found, "code")], begin)
        elif amount is not None and code.startswith("MDC_ECG_"):
            others.append(Noted(code.removeprefix("MDC_ECG_"), f"{amount:g}",
                                markup.value(found, "unit")))  # fmt: skip
    told = tuple(text for text in statements if text)
    return Said(intervals, tuple(others), told, tuple(_filters(rhythm)), tuple(marks))


def _annotations(rhythm: Element) -> Iterator[Element]:
    """Every annotation of the whole recording; what is about one lead stays out."""
    waiting = list(rhythm.iterfind("subjectOf/annotationSet/component/annotation"))
    while waiting:
        annotation = waiting.pop(0)
        boundary = annotation.iterfind("support/supportingROI/component/boundary")
        if not any(_code(each).startswith(LEAD) for each in boundary):
            yield annotation
            waiting += annotation.iterfind("component/annotation")


def _wave(annotation: Element, name: str, begin: str) -> Iterator[Mark]:
    for found in annotation.iterfind("support/supportingROI/component/boundary/value"):
        for end, word in (("low", "Onset"), ("high", "Offset")):
            at = markup.value(found.find(end))
            if at:
                yield Mark(f"{name} {word}", _apart(begin, at))


def _filters(rhythm: Element) -> Iterator[str]:
    signs: Mapping[str, str] = {UPPER_CUT: "≤", LOWER_CUT: "≥"}
    for control in rhythm.iter("controlVariable"):
        for each in control.iterfind("component/controlVariable"):
            hertz = markup.number(markup.value(each.find("value")))
            sign = "≠" if _code(each) == NOTCH else signs.get(_code(control), "")
            if hertz is not None and sign:
                yield f"{sign} {hertz:g} Hz"


def _subject(root: Element) -> Subject:
    trial = next(root.iter("trialSubject"), None)
    person = next(root.iter("subjectDemographicPerson"), None)
    if trial is None:
        return Subject()
    name = person.find("name") if person is not None else None
    family, given = markup.text(name, "family"), markup.text(name, "given")
    found = person if person is not None else trial
    return Subject(
        id=markup.value(trial.find("id"), "extension"),
        family=family or markup.text(name),
        given=given,
        birth_date=markup.day(markup.value(found.find("birthTime"))),
        sex=markup.value(found.find("administrativeGenderCode"), "code"),
    )


def _device(rhythm: Element) -> Device:
    author = next(rhythm.iter("seriesAuthor"), None)
    if author is None:
        return Device()
    device = author.find("manufacturedSeriesDevice")
    return Device(
        manufacturer=markup.text(author, "manufacturerOrganization/name"),
        model=markup.text(device, "manufacturerModelName"),
        serial=markup.value(device.find("id"), "extension") if device is not None else "",
    )


def _effective(root: Element) -> datetime | None:
    for name in ("center", "low"):
        if found := markup.moment(markup.value(root.find(f"effectiveTime/{name}"))):
            return found
    return None


def _code(element: Element) -> str:
    return markup.value(element.find("code"), "code")


def _quantity(
    found: Element | None, name: str, units: Mapping[str, float], usual: float | None = None
) -> float:
    element = found.find(name) if found is not None else None
    amount, unit = markup.number(markup.value(element)), markup.value(element, "unit")
    if element is None and usual is not None:
        return usual
    if amount is None or unit not in units:
        raise Malformed("ecg.damaged", place=name)
    return amount * units[unit]
