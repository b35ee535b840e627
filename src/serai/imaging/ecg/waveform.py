"""A DICOM waveform object (PS3.3 §A.34, §C.10.9) as an electrocardiogram."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from serai.imaging.dataset.tolerance import pass_values_on
from serai.imaging.ecg.model import (
    LEAD_CODES,
    Device,
    Ecg,
    Interval,
    Lead,
    Mark,
    Noted,
    Said,
    Samples,
    Subject,
    completed,
)
from serai.kernel.errors import Malformed

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TWELVE_LEAD = "1.2.840.10008.5.1.4.1.1.9.1.1"
GENERAL = "1.2.840.10008.5.1.4.1.1.9.1.2"
AMBULATORY = "1.2.840.10008.5.1.4.1.1.9.1.3"
SOP_CLASSES = (TWELVE_LEAD, GENERAL, AMBULATORY)

# Bits allocated and interpretation (PS3.3 §C.10.9.1.5) as numpy reads little endian.
FORMATS = {
    (16, "SS"): "<i2",
    (16, "US"): "<u2",
    (8, "SB"): "i1",
    (8, "UB"): "u1",
    (32, "SL"): "<i4",
}
MICROVOLTS = {"uV": 1.0, "µV": 1.0, "UV": 1.0, "mV": 1e3, "MV": 1e3, "V": 1e6, "nV": 1e-3}
# SCP-ECG (EN 1064) and MDC (PS3.16 CID 3228, 3229, 3689) codes of global measurements.
INTERVALS = {
    "5.10.2.1-3": Interval.RR,
    "5.10.2.5-1": Interval.RATE,
    "5.13.5-5": Interval.P,
    "5.13.5-7": Interval.PR,
    "5.13.5-9": Interval.QRS,
    "5.13.5-11": Interval.QT,
    "5.10.2.5-5": Interval.QTC,
    "5.10.3-11": Interval.P_AXIS,
    "5.10.3-13": Interval.QRS_AXIS,
    "5.10.3-15": Interval.T_AXIS,
    "2:16184": Interval.P,
    "2:15872": Interval.PR,
    "2:16156": Interval.QRS,
    "2:16160": Interval.QT,
    "2:16164": Interval.QTC,
    "2:16168": Interval.RR,
    "2:16000": Interval.RR,
    "2:16128": Interval.P_AXIS,
    "2:16132": Interval.QRS_AXIS,
    "2:16136": Interval.T_AXIS,
    "2:16770": Interval.RATE,
}
AXES = frozenset(code for code, name in INTERVALS.items() if name.endswith("-axis"))
LEAD_CODE = re.compile(r"^(?:2:|5\.6\.3-9-)(\d+)$")
LEAD_WORD = re.compile(r"^(?:lead\s+)?(I{1,3}|aV[RLF]|V\d{1,2}R?|[XYZ])\b", re.IGNORECASE)
# Where an object of ours keeps the file it was made from (PS3.5 §7.8).
PRIVATE_GROUP, PRIVATE_CREATOR = 0x0099, "SERAI ECG ORIGINAL"
SUFFIX_ELEMENT, CONTENT_ELEMENT, LENGTH_ELEMENT = 0x01, 0x02, 0x03
# A Holter of a day has this many samples a channel at most; more is not an electrocardiogram.
MOST_SAMPLES = 200_000_000


@dataclass(frozen=True, slots=True)
class Original:
    """The file that a recording was made from."""

    suffix: str
    content: bytes


def original(content: bytes) -> Original | None:
    """What `object_of` put beside the waveform; None for an object that came as DICOM."""
    from pydicom import dcmread

    data_set = dcmread(BytesIO(content))
    try:
        block = data_set.private_block(PRIVATE_GROUP, PRIVATE_CREATOR)
    except KeyError:
        return None
    length = int(block[LENGTH_ELEMENT].value)
    value = bytes(block[CONTENT_ELEMENT].value)[:length]
    return Original(str(block[SUFFIX_ELEMENT].value), value)


def read(content: bytes) -> Ecg:
    """The recording in a Part 10 file; Malformed when there is none that can be drawn."""
    from pydicom import dcmread
    from pydicom.errors import BytesLengthException, InvalidDicomError

    pass_values_on()
    try:
        data_set = dcmread(BytesIO(content))
        groups = list(data_set.get("WaveformSequence") or [])
        return _ecg(data_set, groups)
    except Malformed:
        raise
    except (
        InvalidDicomError, AttributeError, TypeError, ValueError, LookupError, OSError, EOFError,
        ArithmeticError, NotImplementedError, RecursionError, struct.error, BytesLengthException,
    ) as error:  # fmt: skip
        raise Malformed("ecg.unreadable-waveform") from error


def _ecg(data_set: Dataset, groups: Sequence[Dataset]) -> Ecg:
    if not groups:
        raise Malformed("ecg.no-waveform")
    rhythm = max(groups, key=lambda group: int(group.NumberOfWaveformSamples))
    rate = float(rhythm.SamplingFrequency)
    if not 50 <= rate <= 20_000:
        raise Malformed("ecg.sampling-rate")
    medians = [each for each in groups if each is not rhythm and _is_median(each)]
    same_rate = [each for each in medians if float(each.SamplingFrequency) == rate]
    return Ecg(
        leads=completed(_leads(rhythm)),
        rate=rate,
        at=_at(data_set),
        said=_said(data_set, rate),
        subject=_subject(data_set),
        device=Device(
            _text(data_set, "Manufacturer"),
            _text(data_set, "ManufacturerModelName"),
            _text(data_set, "DeviceSerialNumber"),
            _text(data_set, "InstitutionName"),
        ),
        median=completed(_leads(same_rate[0])) if same_rate else (),
    )


def _is_median(group: Dataset) -> bool:
    return "MEDIAN" in _text(group, "MultiplexGroupLabel").upper()


def _leads(group: Dataset) -> tuple[Lead, ...]:
    channels = list(group.ChannelDefinitionSequence)
    count, length = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    kind = FORMATS.get((int(group.WaveformBitsAllocated), str(group.WaveformSampleInterpretation)))
    if kind is None or not 0 < count == len(channels) or not 0 < length <= MOST_SAMPLES:
        raise Malformed("ecg.unreadable-waveform")
    data = bytes(group.WaveformData)
    size = count * length * np.dtype(kind).itemsize
    if len(data) < size:
        raise Malformed("ecg.truncated")
    raw = np.frombuffer(data[:size], kind).reshape(length, count)
    padding = _padding(group, kind)
    return tuple(
        Lead(_lead_name(channel, place), _microvolts(raw[:, place], channel, padding))
        for place, channel in enumerate(channels)
    )


def _padding(group: Dataset, kind: str) -> int | None:
    value = group.get("WaveformPaddingValue")
    if isinstance(value, bytes) and len(value) >= np.dtype(kind).itemsize:
        return int(np.frombuffer(value, kind, count=1)[0])
    return None


def _microvolts(raw: Any, channel: Dataset, padding: int | None) -> Samples:
    """(sample + baseline) x sensitivity x correction (PS3.3 §C.10.9.1.4.2)."""
    scale = float(channel.get("ChannelSensitivity") or 1.0)
    scale *= float(channel.get("ChannelSensitivityCorrectionFactor") or 1.0)
    units = channel.get("ChannelSensitivityUnitsSequence") or []
    unit = _text(units[0], "CodeValue") if units else "uV"
    if unit not in MICROVOLTS:
        raise Malformed("ecg.unit", unit=unit[:16])
    values = raw.astype(np.float64)
    if padding is not None:
        values[raw == padding] = np.nan
    baseline = float(channel.get("ChannelBaseline") or 0.0)
    return np.asarray(values * scale * MICROVOLTS[unit] + baseline * MICROVOLTS[unit])


def _lead_name(channel: Dataset, place: int) -> str:
    sources = channel.get("ChannelSourceSequence") or []
    code = _text(sources[0], "CodeValue") if sources else ""
    found = LEAD_CODE.match(code)
    if found and int(found[1]) in LEAD_CODES:
        return LEAD_CODES[int(found[1])]
    words = (_text(sources[0], "CodeMeaning") if sources else "", _text(channel, "ChannelLabel"))
    for text in words:
        if named := LEAD_WORD.match(text.strip()):
            return _spelt(named[1])
    return next((text[:12] for text in words if text), f"{place + 1}")


def _spelt(name: str) -> str:
    upper = name.upper()
    return f"aV{upper[2]}" if upper.startswith("AV") else upper


def _said(data_set: Dataset, rate: float) -> Said:
    intervals: dict[Interval, float] = {}
    others, statements, marks = [], [], []
    for each in data_set.get("WaveformAnnotationSequence") or []:
        concept = (each.get("ConceptNameCodeSequence") or [None])[0]
        name, code = _text(concept, "CodeMeaning"), _text(concept, "CodeValue")
        value = _number(each)
        if text := _text(each, "UnformattedTextValue"):
            statements.append(text)
        elif value is not None and code in INTERVALS:
            # A device that could not measure writes 0 or a number that no interval has.
            if 0 < value < 20_000 or (code in AXES and -180 <= value <= 180):
                intervals.setdefault(INTERVALS[code], value)
        elif value is not None and name:
            others.append(Noted(name, f"{value:g}", _unit(each)))
        elif place := _place(each, rate):
            marks.append(Mark(name or code, place))
    return Said(
        intervals, tuple(others), tuple(statements), tuple(_filters(data_set)), tuple(marks)
    )


def _filters(data_set: Dataset) -> Iterable[str]:
    """What the device had switched on while it recorded (PS3.3 §C.10.9.1.4)."""
    groups = list(data_set.get("WaveformSequence") or [])
    channels = list(groups[0].get("ChannelDefinitionSequence") or []) if groups else []
    for keyword, sign in (
        ("FilterLowFrequency", "≥"),
        ("FilterHighFrequency", "≤"),
        ("NotchFilterFrequency", "≠"),
    ):
        if channels and channels[0].get(keyword):
            yield f"{sign} {float(channels[0].get(keyword)):g} Hz"


def _number(annotation: Dataset) -> float | None:
    try:
        return float(_first(annotation.get("NumericValue")))
    except (TypeError, ValueError, IndexError):
        return None


def _place(annotation: Dataset, rate: float) -> float | None:
    positions = annotation.get("ReferencedSamplePositions")
    if positions is None or annotation.get("TemporalRangeType") not in ("POINT", None):
        return None
    return int(_first(positions)) / rate


def _first(value: Any) -> Any:
    return value if np.isscalar(value) or value is None else value[0]


def _unit(annotation: Dataset) -> str:
    units = annotation.get("MeasurementUnitsCodeSequence") or []
    return _text(units[0], "CodeValue") if units else ""


def _at(data_set: Dataset) -> datetime | None:
    day, clock = _text(data_set, "StudyDate"), _text(data_set, "StudyTime")
    text = _text(data_set, "AcquisitionDateTime") or f"{day}{clock}"
    digits = re.match(r"^(\d{8})(\d{6})", text)
    if digits is None:
        return None
    try:
        return datetime.strptime("".join(digits.groups()), "%Y%m%d%H%M%S").replace(
            tzinfo=_zone(data_set)
        )
    except ValueError:
        return None


def _zone(data_set: Dataset) -> timezone:
    """Without a zone the clock on the wall is shown as it was written."""
    text = _text(data_set, "TimezoneOffsetFromUTC")
    if not re.fullmatch(r"[+-]\d{4}", text):
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[3:5])))


def _subject(data_set: Dataset) -> Subject:
    family, _, given = _text(data_set, "PatientName").partition("^")
    born = _text(data_set, "PatientBirthDate")
    return Subject(
        id=_text(data_set, "PatientID"),
        family=family,
        given=given.replace("^", " ").strip(),
        birth_date=_day(born),
        sex=_text(data_set, "PatientSex"),
    )


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _text(data_set: Dataset | None, keyword: str) -> str:
    value = data_set.get(keyword) if data_set is not None else None
    return "" if value is None else str(value).strip("\0 ")
