"""Where P begins, QRS begins and ends, and T ends, on a median beat over all leads.

Two ways that share no feature of the signal. `by_slope` looks at how fast the heart's vector
moves, and where the tangent to the end of T meets the base line. `by_level` looks at how far the
leads are from their base line, and where the area under T stops growing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serai.imaging.ecg.measuring.signal import passed, smoothed
from serai.imaging.ecg.model import Samples

# A T or P wave lower than this (microvolts, over all leads) has no end that can be told.
T_AT_LEAST, P_AT_LEAST = 40.0, 18.0
# Of the steepest movement in QRS, what still counts as QRS; and of its greatest height.
MOVING, STANDING = 0.03, 0.025
# A window that may be searched on either side of the fiducial point.
QRS_S, P_S, PR_MOST_S = 0.14, 0.30, 0.34


@dataclass(frozen=True, slots=True)
class Places:
    """Samples of a median beat; None where this way finds nothing."""

    qrs_begin: float | None = None
    qrs_end: float | None = None
    t_end: float | None = None
    p_begin: float | None = None


def by_slope(beat: Samples, fiducial: int, rate: float) -> Places:
    """Spatial velocity for QRS, tangents for the feet of P and T."""
    velocity = _velocity(beat, rate, below=60)
    begin, end = _run(velocity, fiducial, int(QRS_S * rate), MOVING, int(0.008 * rate))
    if begin is None or end is None:
        return Places()
    slow = np.array([passed(lead, rate, below=25) for lead in beat])
    p_begin = _tangent_begin(_heights(slow, begin, rate), begin, fiducial, rate)
    return Places(begin, end, _last_tangent(slow, begin, end, rate), p_begin)


def by_level(beat: Samples, fiducial: int, rate: float) -> Places:
    """Distance from the base line for QRS, growing areas for P and T."""
    smooth = np.array([passed(lead, rate, below=90) for lead in beat])
    begin, end = _departure(smooth, fiducial, rate), _return(smooth, fiducial, rate)
    if begin is None or end is None:
        return Places()
    level = smoothed(_heights(smooth, begin, rate), int(0.012 * rate))
    return Places(
        begin, end, _area_end(level, end, rate), _area_begin(level, begin, fiducial, rate)
    )


def _velocity(beat: Samples, rate: float, *, below: float) -> Samples:
    smooth = np.array([passed(lead, rate, below=below) for lead in beat])
    return smoothed(np.sqrt((np.gradient(smooth, axis=1) ** 2).mean(axis=0)), int(0.005 * rate))


def _run(
    signal: Samples, middle: int, reach: int, share: float, quiet: int
) -> tuple[int | None, int | None]:
    """The stretch around `middle` until the signal stays quiet on either side."""
    start, stop = max(middle - reach, 0), min(middle + reach, len(signal))
    noise = float(np.percentile(signal, 20))
    limit = noise + share * (float(signal[start:stop].max()) - noise)
    loud = signal > limit
    begin = _first_quiet(loud[start:middle][::-1], quiet)
    end = _first_quiet(loud[middle:stop], quiet)
    return (
        None if begin is None else middle - begin,
        None if end is None else middle + end,
    )


def _first_quiet(loud: NDArray[np.bool_], quiet: int) -> int | None:
    count = 0
    for place, is_loud in enumerate(loud):
        count = 0 if is_loud else count + 1
        if count >= max(quiet, 2):
            return place - count + 1
    return None


def _heights(beat: Samples, qrs_begin: int, rate: float) -> Samples:
    """Root mean square over leads of the distance from the level just before QRS."""
    before = beat[:, max(qrs_begin - int(0.02 * rate), 0) : max(qrs_begin - 1, 1)]
    return np.asarray(np.sqrt(((beat - before.mean(axis=1, keepdims=True)) ** 2).mean(axis=0)))


def _departure(beat: Samples, fiducial: int, rate: float) -> int | None:
    """Walking back from QRS, where the leads are at the level they had just before."""
    width, back = int(0.016 * rate), int(QRS_S * rate)
    tallest = _spread(beat, fiducial - int(0.06 * rate), fiducial + int(0.06 * rate))
    for place in range(fiducial - width, max(fiducial - back, width), -1):
        if _spread(beat, place - width, place) < STANDING * tallest:
            return place
    return None


def _return(beat: Samples, fiducial: int, rate: float) -> int | None:
    """Walking on from QRS, where the leads stop changing level: the J point."""
    width, on = int(0.016 * rate), int((QRS_S + 0.06) * rate)
    tallest = _spread(beat, fiducial - int(0.06 * rate), fiducial + int(0.06 * rate))
    for place in range(fiducial + width, min(fiducial + on, beat.shape[1] - width)):
        if _spread(beat, place, place + width) < STANDING * tallest:
            return place
    return None


def _spread(beat: Samples, start: int, stop: int) -> float:
    part = beat[:, max(start, 0) : stop]
    return float(np.sqrt((np.ptp(part, axis=1) ** 2).mean())) if part.size else np.inf


def _t_peak(level: Samples, qrs_end: float, rate: float) -> int | None:
    start, stop = int(qrs_end + 0.06 * rate), len(level) - int(0.04 * rate)
    if stop - start < int(0.06 * rate):
        return None
    part = level[start:stop]
    peak = start + int(np.argmax(part))
    at_edge = peak - start < 2 or stop - peak < int(0.03 * rate)
    return None if at_edge or level[peak] < T_AT_LEAST else peak


def _last_tangent(beat: Samples, qrs_begin: int, qrs_end: int, rate: float) -> float | None:
    """T is over when it is over in all leads; one noisy lead does not decide it alone."""
    levels = (_heights(lead[np.newaxis], qrs_begin, rate) for lead in beat)
    ends = (_tangent_end(level, qrs_end, rate) for level in levels)
    found = sorted(end for end in ends if end is not None)
    if not found or len(found) < len(beat) / 3:
        return None
    return found[-2] if len(found) > 3 else found[-1]


def _tangent_end(level: Samples, qrs_end: float, rate: float) -> float | None:
    peak = _t_peak(level, qrs_end, rate)
    if peak is None:
        return None
    slope = np.gradient(smoothed(level, int(0.02 * rate)))
    lowest = peak + int(np.argmin(level[peak : peak + int(0.24 * rate)]))
    if lowest - peak < int(0.03 * rate):
        return None
    steepest = peak + int(np.argmin(slope[peak:lowest]))
    if slope[steepest] >= 0:
        return None
    return float(steepest - (level[steepest] - level[lowest]) / slope[steepest])


def _area_end(level: Samples, qrs_end: float, rate: float) -> float | None:
    """The corner that makes the greatest trapezium between the flank of T and a later point."""
    peak = _t_peak(level, qrs_end, rate)
    if peak is None:
        return None
    stop = min(peak + int(0.26 * rate), len(level) - 1)
    lowest = peak + int(np.argmin(level[peak:stop]))
    steepest = peak + int(np.argmin(np.gradient(level)[peak : lowest + 1]))
    far = min(lowest + int(0.05 * rate), len(level) - 1)
    place = np.arange(steepest, far)
    area = 0.5 * (level[steepest] - level[place]) * (2 * far - steepest - place)
    return float(place[int(np.argmax(area))]) if len(place) > 2 else None


def _p_peak(level: Samples, qrs_begin: float, fiducial: int, rate: float) -> int | None:
    start = max(fiducial - int(PR_MOST_S * rate), int(0.02 * rate))
    stop = int(qrs_begin - 0.025 * rate)
    if stop - start < int(0.06 * rate):
        return None
    peak = start + int(np.argmax(level[start:stop]))
    edge = peak - start < int(0.02 * rate)
    return None if edge or level[peak] < P_AT_LEAST else peak


def _tangent_begin(level: Samples, qrs_begin: float, fiducial: int, rate: float) -> float | None:
    peak = _p_peak(level, qrs_begin, fiducial, rate)
    if peak is None:
        return None
    slope = np.gradient(smoothed(level, int(0.02 * rate)))
    start = max(peak - int(0.12 * rate), 0)
    lowest = start + int(np.argmin(level[start : peak + 1]))
    if peak - lowest < int(0.015 * rate):
        return None
    steepest = lowest + int(np.argmax(slope[lowest:peak]))
    if slope[steepest] <= 0:
        return None
    return float(steepest - (level[steepest] - level[lowest]) / slope[steepest])


def _area_begin(level: Samples, qrs_begin: float, fiducial: int, rate: float) -> float | None:
    peak = _p_peak(level, qrs_begin, fiducial, rate)
    if peak is None:
        return None
    start = max(peak - int(0.12 * rate), 0)
    lowest = start + int(np.argmin(level[start : peak + 1]))
    steepest = lowest + int(np.argmax(np.gradient(level)[lowest : peak + 1]))
    far = max(lowest - int(0.04 * rate), 0)
    place = np.arange(far + 1, steepest + 1)
    area = 0.5 * (level[steepest] - level[place]) * (steepest + place - 2 * far)
    return float(place[int(np.argmax(area))]) if len(place) > 2 else None
