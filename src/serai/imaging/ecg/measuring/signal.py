"""Filters and envelopes on whole leads, without delay: what lies where stays where it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from serai.imaging.ecg.model import Samples


def passed(samples: Samples, rate: float, *, above: float = 0.0, below: float = 0.0) -> Samples:
    """The part of a lead between two frequencies, with soft edges and mirrored ends."""
    return _shaped(samples, rate, lambda hz: _high(hz, above) * _low(hz, below))


def without(samples: Samples, rate: float, mains: float) -> Samples:
    """A lead without the hum of the mains and its harmonics, each a notch 2 Hz wide."""

    def notched(hz: Samples) -> Samples:
        gain = np.ones_like(hz)
        for harmonic in np.arange(mains, rate / 2, mains):
            gain *= 1 - np.exp(-(((hz - harmonic) / 1.0) ** 2))
        return gain

    return _shaped(samples, rate, notched)


def smoothed(samples: Samples, width: int) -> Samples:
    """A moving average of an odd number of samples."""
    width = max(width | 1, 1)
    padded = np.pad(samples, width // 2, mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid")


def _shaped(samples: Samples, rate: float, gain: Callable[[Samples], Samples]) -> Samples:
    length = len(samples)
    edge = min(length - 1, int(2 * rate))
    if edge < 1:
        return samples.copy()
    mirrored = np.pad(samples, edge, mode="reflect", reflect_type="odd")
    hz = np.asarray(np.fft.rfftfreq(len(mirrored), 1 / rate), np.float64)
    spectrum = np.fft.rfft(mirrored) * gain(hz)
    return np.asarray(np.fft.irfft(spectrum, len(mirrored))[edge : edge + length])


def _high(hz: Samples, cut: float) -> Samples:
    return np.asarray(hz**4 / (hz**4 + cut**4)) if cut else np.ones_like(hz)


def _low(hz: Samples, cut: float) -> Samples:
    return np.asarray(1 / (1 + (hz / cut) ** 8)) if cut else np.ones_like(hz)
