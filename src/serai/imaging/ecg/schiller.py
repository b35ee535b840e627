"""Schiller's EDI export of a resting ECG: plain samples in microvolts, and the device's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from serai.imaging.ecg import markup
from serai.imaging.ecg.model import (
    CODES_OF_LEADS,
    Device,
    Ecg,
    Interval,
    Lead,
    Mark,
    Said,
    Subject,
)
from serai.kernel.errors import Malformed, Unsupported

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ROOT = "SchillerEDI"
NAMES = {name.upper(): name for name in CODES_OF_LEADS}
RHYTHM, AVERAGE = "ECG_RHYTHMS", "ECG_AVERAGES"
INTERVALS = {
    "HR": Interval.RATE, "RR": Interval.RR, "P": Interval.P, "PQ": Interval.PR,
    "QRS": Interval.QRS, "QT": Interval.QT, "QTC": Interval.QTC,
    "AXIS_P": Interval.P_AXIS, "AXIS_QRS": Interval.QRS_AXIS, "AXIS_T": Interval.T_AXIS,
}  # fmt: skip
MARKS = {
    "R_P_ON": "P Onset", "R_QRS_ON": "QRS Onset", "R_QRS_OFF": "QRS Offset", "R_T_OFF": "T Offset",
}  # fmt: skip
FILTERS = {"HIGHPASS_CUTOFF_FREQ": "≥", "LOWPASS_CUTOFF_FREQ": "≤", "MAINS": "≠"}
# What an emptied clock says.
UNSET = "19700101000000"
SEXES = {"MALE": "M", "FEMALE": "F"}


def read(content: bytes) -> Ecg:
    root = markup.tree(content)
    waves = {markup.text(each, "type"): each for each in root.iterfind("eventdata/event/wavedata")}
    if not root.tag.endswith(ROOT) or RHYTHM not in waves:
        raise Malformed("ecg.no-waveform")
    rate, step = _scale(waves[RHYTHM])
    average = waves.get(AVERAGE)
    same = average is not None and _scale(average)[0] == rate
    return Ecg(
        leads=_leads(waves[RHYTHM]),
        rate=rate,
        at=_at(root),
        said=_said(root, rate),
        subject=_subject(root.find("patdata")),
        device=_device(root.find("examdescript/aquiringdevice")),
        median=_leads(average) if average is not None and same else (),
        resolution=step,
    )


def _scale(wave: Element) -> tuple[float, float]:
    """Samples a second and microvolts of a step; other units or exponents were never seen."""
    rate = markup.number(markup.text(wave, "resolution/samplerate/value"))
    step = markup.number(markup.text(wave, "resolution/yres/unitperbit"))
    exponent = markup.text(wave, "resolution/samplerate/exponent")
    unit = markup.text(wave, "resolution/yres/units")
    if exponent != "1" or unit != "UV":
        raise Unsupported("ecg.not-supported", what="Schiller, units")
    if rate is None or not 50 <= rate <= 20_000 or step is None or not 0 < step < 1000:
        raise Malformed("ecg.damaged", place="resolution")
    return rate, step


def _leads(wave: Element) -> tuple[Lead, ...]:
    step = _scale(wave)[1]
    leads = []
    for channel in wave.iterfind("channel"):
        name = markup.text(channel, "name")
        samples = markup.samples(markup.text(channel, "data"), "data") * step
        leads.append(Lead(NAMES.get(name.upper(), name[:12]), samples))
    if not leads or len({len(lead.samples) for lead in leads}) != 1:
        raise Malformed("ecg.damaged", place="channel")
    return tuple(leads)


def _said(root: Element, rate: float) -> Said:
    intervals = {}
    for each in root.iterfind("eventdata/event/annotation_global"):
        amount = markup.number(markup.text(each, "value"))
        name = INTERVALS.get(markup.text(each, "name"))
        if name is not None and amount is not None:
            intervals[name] = amount
    return Said(intervals, filters=tuple(_filters(root)), marks=tuple(_marks(root, rate)))


def _marks(root: Element, rate: float) -> Iterator[Mark]:
    for each in root.iterfind("eventdata/event/rhythm_global"):
        label = MARKS.get(markup.text(each, "name"))
        for found in each.iterfind("value"):
            place = markup.number(markup.text(found))
            if label and place is not None and place >= 0:
                yield Mark(label, place / rate)


def _filters(root: Element) -> Iterator[str]:
    for each in root.iterfind("eventdata/event/filters_data/filter"):
        sign = FILTERS.get(markup.text(each, "name"))
        hertz = markup.number(markup.text(each, "value"))
        if sign and hertz:
            yield f"{sign} {hertz:g} Hz"


def _subject(patient: Element | None) -> Subject:
    return Subject(
        id=markup.text(patient, "id"),
        family=markup.text(patient, "lastname"),
        given=markup.text(patient, "firstname"),
        birth_date=markup.day(markup.text(patient, "birthdate")),
        sex=SEXES.get(markup.text(patient, "gender"), ""),
    )


def _device(device: Element | None) -> Device:
    return Device(
        manufacturer=markup.text(device, "hardware/vendor"),
        model=markup.text(device, "hardware/model"),
        serial=markup.text(device, "hardware/serialnum"),
    )


def _at(root: Element) -> datetime | None:
    start = root.find("examdescript/startdatetime")
    digits = markup.text(start, "date") + markup.text(start, "time")[:6]
    if digits == UNSET:
        return None
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
