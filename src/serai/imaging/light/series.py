"""A series as somebody leafs through it: its pictures in order, and what to show beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.rendering import grey
from serai.imaging.rendering.wish import Window, Wish

IMAGE_POSITION, IMAGE_ORIENTATION = "00200032", "00200037"
# The in-plane distance of pixels; the second is measured at the detector (PS3.3 §10.7.1.3).
SPACINGS = ("00280030", "00181164")
ORIENTATION_GROUP, PIXEL_MEASURES = "00209116", "00289110"
SHARED_GROUPS = "52009229"
# Milliseconds: what the object recommends, then what it was recorded with (PS3.3 §C.7.6.5).
FRAME_TIME, CINE_RATE, DISPLAY_RATE = "00181063", "00180040", "00082144"
MOST_WINDOWS = 4
# Side and quality of the small pictures, of a stack and of a film.
SMALL, SMALL_OF_FILM = (128, 40), (256, 50)
SAME_DIRECTION = 1e-3
SAME_PLACE_MM = 1e-3


@dataclass(frozen=True, slots=True)
class Slide:
    """One frame of one instance."""

    instance: str
    frame: int


@dataclass(frozen=True, slots=True)
class Series:
    """What the light viewer knows of a series before its first picture."""

    uid: str
    slides: tuple[Slide, ...]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Instance:
    """One object with pixels, as the index has it."""

    uid: str
    number: int | None
    frames: int
    attributes: Attributes


def series_of(uid: str, number: int | None, instances: Sequence[Instance]) -> Series:
    ordered, places = _in_order(instances)
    slides = [Slide(each.uid, frame) for each in ordered for frame in range(each.frames)]
    middle = ordered[len(ordered) // 2].attributes
    facts: dict[str, Any] = {
        "uid": uid,
        "number": number,
        "description": first_text(middle, "0008103E"),
        "modality": first_text(middle, "00080060"),
        "frames": len(slides),
        "rows": _whole(first_text(middle, "00280010")),
        "columns": _whole(first_text(middle, "00280011")),
        "spacing": _spacing(middle),
        "colour": _whole(first_text(middle, "00280002")) > 1,
        "inverted": first_text(middle, "00280004") == "MONOCHROME1",
        "windows": list(_windows(middle)),
        "rate": _rate(middle, frames=max(each.frames for each in ordered)),
        "places": places,
    }
    facts["small"] = SMALL_OF_FILM if facts["rate"] else SMALL
    return Series(uid, tuple(slides), facts)


def small_wish(series: Series) -> Wish:
    """How the light viewer asks for a small picture before anybody has chosen a window."""
    (size, quality), windows = series.facts["small"], series.facts["windows"]
    window = Window(*windows[0]) if windows and not series.facts["colour"] else None
    return Wish(size=(size, size), quality=quality, window=window)


def _in_order(instances: Sequence[Instance]) -> tuple[list[Instance], list[float] | None]:
    """By place along the normal where the pictures are one stack, else as they are numbered."""
    numbered = sorted(instances, key=lambda each: (each.number is None, each.number or 0, each.uid))
    along = _along_normal(numbered)
    if along is None:
        return numbered, None
    order = sorted(range(len(numbered)), key=lambda place: along[place])
    # From the first picture to the last as the scanner numbered them, if it did.
    if numbered[order[0]].number != numbered[0].number and _descending(numbered, order):
        order.reverse()
    return [numbered[place] for place in order], [round(along[place], 2) for place in order]


def _descending(numbered: Sequence[Instance], order: Sequence[int]) -> bool:
    return (numbered[order[0]].number or 0) > (numbered[order[-1]].number or 0)


def _along_normal(instances: Sequence[Instance]) -> list[float] | None:
    """None unless all lie parallel and no two in one plane."""
    if len(instances) < 2 or any(each.frames > 1 for each in instances):
        return None
    first = _numbers(instances[0].attributes, IMAGE_ORIENTATION, 6)
    if first is None:
        return None
    normal = _cross(first[:3], first[3:])
    along = []
    for each in instances:
        direction = _numbers(each.attributes, IMAGE_ORIENTATION, 6)
        position = _numbers(each.attributes, IMAGE_POSITION, 3)
        if direction is None or position is None or _turned(direction, first):
            return None
        along.append(sum(a * b for a, b in zip(position, normal, strict=True)))
    steps = sorted(along)
    distinct = all(b - a > SAME_PLACE_MM for a, b in pairwise(steps))
    return along if distinct else None


def _turned(one: Sequence[float], other: Sequence[float]) -> bool:
    return any(abs(a - b) > SAME_DIRECTION for a, b in zip(one, other, strict=True))


def _cross(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def _windows(attributes: Attributes) -> Iterator[tuple[float, float]]:
    """Every window the object proposes (PS3.3 §C.11.2.1.2); the first is what is shown."""
    first = grey.window_of(attributes, 0)
    if first is not None:
        yield first.centre, first.width
    centres = attributes.get(grey.CENTRE, {}).get("Value") or []
    widths = attributes.get(grey.WIDTH, {}).get("Value") or []
    for centre, width in list(zip(centres, widths, strict=False))[1:MOST_WINDOWS]:
        known = _number(centre), _number(width)
        if known[0] is not None and known[1] and known[1] > 1:
            yield known[0], known[1]


def _spacing(attributes: Attributes) -> tuple[float, float] | None:
    """Millimetres between rows and between columns."""
    shared = (attributes.get(SHARED_GROUPS, {}).get("Value") or [{}])[0]
    measures = (shared.get(PIXEL_MEASURES, {}).get("Value") or [{}])[0]
    for each in (attributes, measures):
        for tag in SPACINGS:
            found = _numbers(each, tag, 2)
            if found and min(found) > 0:
                return found[0], found[1]
    return None


def _rate(attributes: Attributes, *, frames: int) -> float | None:
    """Frames a second, when the object is a film."""
    if frames < 2:
        return None
    duration = _number(first_text(attributes, FRAME_TIME))
    if duration and duration > 0:
        return round(1000 / duration, 2)
    for tag in (DISPLAY_RATE, CINE_RATE):
        rate = _number(first_text(attributes, tag))
        if rate and rate > 0:
            return rate
    return None


def _numbers(attributes: Attributes, tag: str, count: int) -> list[float] | None:
    values = [_number(each) for each in attributes.get(tag, {}).get("Value") or []]
    found = [each for each in values if each is not None]
    return found if len(found) == count == len(values) else None


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if abs(number) < 1e12 else None


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0
