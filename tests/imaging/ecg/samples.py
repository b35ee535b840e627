"""Recordings for the tests: real ones of other projects, and synthetic ones with known places."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.imaging.objects import PYDICOM_FILES

from serai.imaging.ecg.model import Ecg, Lead, Said, Samples

FOLDER = Path(__file__).parent / "data"
WAVEFORM = (PYDICOM_FILES / "waveform_ecg.dcm").read_bytes()
RATE = 500.0


def kept(name: str) -> bytes:
    content = (FOLDER / name).read_bytes()
    return gzip.decompress(content) if name.endswith(".gz") else content


def unsaid(ecg: Ecg) -> Ecg:
    """As if the device had measured nothing."""
    return replace(ecg, said=Said())


def beats_at(seconds: list[float], length: float, *, pr: float, qt: float) -> Samples:
    """P, QRS and T as bell curves; PR and QT by where P begins, QRS begins and T ends."""
    time = np.arange(int(length * RATE)) / RATE
    trace = np.zeros_like(time)
    for begin in seconds:
        trace += 120 * _bell(time, begin - pr + 0.05, 0.02)
        trace += 1200 * _bell(time, begin + 0.036, 0.012) - 250 * _bell(time, begin + 0.066, 0.01)
        trace += 350 * _bell(time, begin + qt - 0.075, 0.035)
    return trace


def a_recording(
    seconds: list[float], length: float = 10.0, *, pr: float = 0.16, qt: float = 0.40
) -> Ecg:
    trace = beats_at(seconds, length, pr=pr, qt=qt)
    noise = np.random.default_rng(7).normal(0, 3, (3, len(trace)))
    sizes = {"I": 0.7, "II": 1.0, "V5": 1.3}
    leads = [Lead(name, trace * size + noise[n]) for n, (name, size) in enumerate(sizes.items())]
    return Ecg(tuple(leads), RATE)


def _bell(time: Samples, middle: float, width: float) -> Samples:
    return np.asarray(np.exp(-0.5 * ((time - middle) / width) ** 2))
