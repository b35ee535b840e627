"""An electrocardiogram as a value: leads in microvolts, what the device said, whom it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

# Lead names by their MDC_ECG_LEAD code (ISO/IEEE 11073-10102), which SCP-ECG shares
# (EN 1064, table 5.6.3-9) and DICOM writes as "2:61" or "5.6.3-9-61" (PS3.16 CID 3001).
LEAD_CODES: Mapping[int, str] = {
    **{1: "I", 2: "II", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF"},
    **{number + 2: f"V{number}" for number in range(1, 7)},
    **{9: "V7", 66: "V8", 67: "V9", 10: "V2R", 11: "V3R", 12: "V4R", 13: "V5R", 14: "V6R"},
    **{16: "X", 17: "Y", 18: "Z"},
}
CODES_OF_LEADS: Mapping[str, int] = {name: code for code, name in LEAD_CODES.items()}
LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
STANDARD = LIMB + CHEST


class Interval(StrEnum):
    """What is measured globally, over all leads; milliseconds, but for the rate."""

    RATE = "rate"
    RR = "rr"
    P = "p"
    PR = "pr"
    QRS = "qrs"
    QT = "qt"
    QTC = "qtc"
    P_AXIS = "p-axis"
    QRS_AXIS = "qrs-axis"
    T_AXIS = "t-axis"


@dataclass(frozen=True, slots=True)
class Lead:
    """One channel; `samples` are microvolts."""

    name: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class Noted:
    """A measurement that a device wrote down, in its own words where it has a word."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in time that the device marked, from the first sample on."""

    label: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Said:
    """All that came with the signal: the device's, not ours."""

    intervals: Mapping[Interval, float] = field(default_factory=dict)
    others: Sequence[Noted] = ()
    statements: Sequence[str] = ()
    filters: Sequence[str] = ()
    marks: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the recording names."""

    id: str = ""
    family: str = ""
    given: str = ""
    birth_date: date | None = None
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    institution: str = ""


@dataclass(frozen=True, slots=True)
class Ecg:
    """One recording: leads of one length and one sampling rate."""

    leads: Sequence[Lead]
    rate: float
    at: datetime | None = None
    said: Said = field(default_factory=Said)
    subject: Subject = field(default_factory=Subject)
    device: Device = field(default_factory=Device)
    # The device's own average beat, when it sent one.
    median: Sequence[Lead] = ()
    # Microvolts of the device's smallest step.
    resolution: float = 1.0

    @property
    def length(self) -> int:
        return min((len(lead.samples) for lead in self.leads), default=0)

    @property
    def seconds(self) -> float:
        return self.length / self.rate

    def lead(self, name: str) -> Samples | None:
        return next((lead.samples for lead in self.leads if lead.name == name), None)


def completed(leads: Sequence[Lead]) -> tuple[Lead, ...]:
    """With the limb leads that Einthoven's and Goldberger's equations give from I and II."""
    by_name = {lead.name: lead for lead in leads}
    if "I" not in by_name or "II" not in by_name:
        return tuple(leads)
    one, two = by_name["I"].samples, by_name["II"].samples
    if len(one) != len(two):
        return tuple(leads)
    derived = {
        "III": two - one,
        "aVR": -(one + two) / 2,
        "aVL": one - two / 2,
        "aVF": two - one / 2,
    }
    missing = [Lead(name, samples) for name, samples in derived.items() if name not in by_name]
    every = [*leads, *missing]
    order = {name: place for place, name in enumerate(STANDARD)}
    return tuple(sorted(every, key=lambda lead: order.get(lead.name, len(order))))
