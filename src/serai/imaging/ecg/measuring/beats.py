"""Where the ventricles beat, and the median of the beats that look alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from serai.imaging.ecg.measuring.signal import passed, smoothed
from serai.imaging.ecg.model import Samples

# Two ventricular beats are never nearer than this.
REFRACTORY_S = 0.25
# A beat of another form than most is left out of the median: an extrasystole, a paced beat.
LIKENESS = 0.9
FEWEST = 3
# What is kept of a beat: this long before its fiducial point, and at most this long behind.
BEFORE_S, BEHIND_S = 0.36, 0.70


def r_peaks(leads: Samples, rate: float) -> NDArray[np.int_]:
    """Samples at the middle of each QRS, from the steepness of all leads together."""
    band = np.array([passed(lead, rate, above=8, below=25) for lead in leads])
    power = smoothed(np.sqrt((np.gradient(band, axis=1) ** 2).sum(axis=0)), int(0.08 * rate))
    if not power.any():
        return np.array([], int)
    # The height of a usual beat: the middle of the highest points of every second and a half.
    step = max(int(1.5 * rate), 1)
    tops = [power[start : start + step].max() for start in range(0, len(power), step)]
    level = 0.4 * float(np.median(tops))
    peaks = _maxima(power, level, int(REFRACTORY_S * rate))
    return _aligned(band, peaks, int(0.05 * rate))


def _maxima(power: Samples, level: float, apart: int) -> list[int]:
    inner = (power[1:-1] >= power[:-2]) & (power[1:-1] > power[2:]) & (power[1:-1] > level)
    found: list[int] = []
    for place in np.flatnonzero(inner) + 1:
        if not found or place - found[-1] >= apart:
            found.append(int(place))
        elif power[place] > power[found[-1]]:
            found[-1] = int(place)
    return found


def _aligned(band: Samples, peaks: Sequence[int], reach: int) -> NDArray[np.int_]:
    """Every beat at the highest point of the lead that is steepest on the whole."""
    lead = np.abs(band[int(np.argmax((band**2).sum(axis=1)))])
    placed = []
    for peak in peaks:
        start = max(peak - reach, 0)
        placed.append(start + int(np.argmax(lead[start : peak + reach + 1])))
    return np.unique(np.array(placed, int))


def median_beat(leads: Samples, rate: float, peaks: NDArray[np.int_]) -> tuple[Samples, int] | None:
    """Leads x samples, and the place of the fiducial point; None when too few beats agree."""
    before, behind = _window(rate, peaks)
    inside = [peak for peak in peaks if peak >= before and peak + behind <= leads.shape[1]]
    if len(inside) < FEWEST:
        return None
    beats = np.array([leads[:, peak - before : peak + behind] for peak in inside])
    alike = _alike(beats, before, int(0.06 * rate))
    if alike.sum() < FEWEST or alike.sum() < 0.5 * len(inside):
        return None
    median = np.median(beats[alike], axis=0)
    return median - np.median(median, axis=1, keepdims=True), before


def _window(rate: float, peaks: NDArray[np.int_]) -> tuple[int, int]:
    """Not so long that the next beat's P wave would be taken for this one's T."""
    usual = float(np.median(np.diff(peaks))) / rate if len(peaks) > 1 else 1.0
    before = min(BEFORE_S, 0.45 * usual)
    return int(before * rate), int(min(BEHIND_S, 0.98 * usual - 0.5 * before) * rate)


def _alike(beats: Samples, fiducial: int, reach: int) -> NDArray[np.bool_]:
    """Which beats have the form of the median beat around their QRS."""
    qrs = beats[:, :, max(fiducial - reach, 0) : fiducial + reach]
    flat = (qrs - qrs.mean(axis=2, keepdims=True)).reshape(len(beats), -1)
    model = np.median(flat, axis=0)
    scale = np.linalg.norm(flat, axis=1) * np.linalg.norm(model)
    return np.asarray((flat @ model) / np.where(scale > 0, scale, np.inf) > LIKENESS)
