"""Intervals of an electrocardiogram: the device's own, else what two ways of measuring agree on."""

from __future__ import annotations

from collections.abc import Mapping

from serai.imaging.analysis.outcome import Abstained, Code, Figure, Finding, Given, Measured
from serai.imaging.ecg.measuring import measure as measured
from serai.imaging.ecg.model import Interval
from serai.imaging.ecg.waveform import read

SHOWN: Mapping[Interval, tuple[Code, str]] = {
    Interval.RATE: (Code("ecg-rate", "Heart rate"), "/min"),
    Interval.PR: (Code("ecg-pr", "PR interval"), "ms"),
    Interval.QRS: (Code("ecg-qrs", "QRS duration"), "ms"),
    Interval.QT: (Code("ecg-qt", "QT interval"), "ms"),
}
BAZETT = Code("ecg-qtc-bazett", "QTc (Bazett)")
FRIDERICIA = Code("ecg-qtc-frider", "QTc (Fridericia)")
IRREGULAR = Code("ecg-irregular", "Irregular, review")


def measure(given: Given) -> Measured:
    if len(given.files) != 1:
        raise Abstained("analysis.several-recordings")
    found = measured(read(given.files[0].read_bytes()))
    figures = [
        Figure(code, round(value, 1), unit)
        for interval, (code, unit) in SHOWN.items()
        if (value := found.value(interval)) is not None
    ]
    for code, corrected in ((BAZETT, found.bazett), (FRIDERICIA, found.fridericia)):
        if corrected is not None:
            figures.append(Figure(code, round(corrected, 1), "ms"))
    if not figures:
        raise Abstained("analysis.ecg-unclear")
    return Measured(figures, [Finding(IRREGULAR)] if found.irregular else [])
