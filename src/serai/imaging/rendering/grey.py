"""Grey values as people see them: rescaled, windowed, eight bits (PS3.3 §C.11.1, §C.11.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.rendering.description import Frame
from serai.imaging.rendering.wish import FUNCTIONS, LINEAR, LINEAR_EXACT, SIGMOID, Window

SHARED_GROUPS, FRAME_GROUPS = "52009229", "52009230"
FRAME_VOI, PIXEL_VALUE = "00289132", "00289145"
CENTRE, WIDTH, FUNCTION = "00281050", "00281051", "00281056"
INTERCEPT, SLOPE = "00281052", "00281053"


@dataclass(frozen=True, slots=True)
class Scale:
    """Stored values to the values they mean, such as Hounsfield units."""

    slope: float = 1.0
    intercept: float = 0.0


def window_of(attributes: Attributes, frame: int) -> Window | None:
    """The first window the object proposes for this frame."""
    for each in _groups(attributes, frame, FRAME_VOI):
        try:
            centre, width = (float(first_text(each, tag)) for tag in (CENTRE, WIDTH))
        except ValueError:
            continue
        function = first_text(each, FUNCTION)
        if width > (1 if function in ("", LINEAR) else 0):
            return Window(centre, width, function if function in FUNCTIONS else LINEAR)
    return None


def scale_of(attributes: Attributes, frame: int) -> Scale:
    for each in _groups(attributes, frame, PIXEL_VALUE):
        if SLOPE in each:
            try:
                slope, intercept = (float(first_text(each, tag)) for tag in (SLOPE, INTERCEPT))
            except ValueError:
                continue
            return Scale(slope, intercept)
    return Scale()


def shown(frame: Frame, scale: Scale, window: Window | None, *, inverted: bool) -> NDArray[Any]:
    """Eight bits for every pixel; without a window everything between darkest and brightest."""
    if window is None:
        low, high = (float(each) * scale.slope + scale.intercept for each in _limits(frame))
        window = Window.around(min(low, high), max(low, high))
    if frame.dtype.kind in "iu" and frame.dtype.itemsize <= 2:
        kind = f"{frame.dtype.kind}{frame.dtype.itemsize}"
        table = _table(kind, scale, window, inverted)
        places = frame.view(f"u{frame.dtype.itemsize}")
        return table.take(places)
    return spread(frame * scale.slope + scale.intercept, window, inverted=inverted)


def spread(values: NDArray[Any], window: Window, *, inverted: bool) -> NDArray[np.uint8]:
    """The window's function over values that are already rescaled."""
    centre, width = window.centre, window.width
    x = values.astype(np.float64)
    if window.function == SIGMOID:
        part = 1 / (1 + np.exp(np.clip(-4 * (x - centre) / width, -700, 700)))
    elif window.function == LINEAR_EXACT or width <= 1:
        part = (x - centre) / width + 0.5
    else:
        part = (x - (centre - 0.5)) / (width - 1) + 0.5
    grey = (np.clip(part, 0, 1) * 255 + 0.5).astype(np.uint8)
    return 255 - grey if inverted else grey


@lru_cache(maxsize=64)
def _table(kind: str, scale: Scale, window: Window, inverted: bool) -> NDArray[np.uint8]:  # noqa: FBT001 - part of a key
    """The grey of every value there can be; the pictures of a series share it."""
    bits = int(kind[1:]) * 8
    values = np.arange(1 << bits, dtype=f"u{kind[1:]}").view(kind)
    return spread(values * scale.slope + scale.intercept, window, inverted=inverted)


def _limits(frame: Frame) -> tuple[Any, Any]:
    return frame.min(), frame.max()


def _groups(attributes: Attributes, frame: int, macro: str) -> Iterator[Attributes]:
    """The object itself, then its functional groups (PS3.3 §C.7.6.16)."""
    yield attributes
    per_frame = attributes.get(FRAME_GROUPS, {}).get("Value") or []
    shared = attributes.get(SHARED_GROUPS, {}).get("Value") or []
    for group in (*per_frame[frame : frame + 1], *shared[:1]):
        yield from (group.get(macro, {}).get("Value") or [])[:1]
