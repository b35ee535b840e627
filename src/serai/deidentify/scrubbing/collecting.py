"""Who an object shows, read from the object itself before anything is removed."""

from __future__ import annotations

from typing import Any, Final

from serai.deidentify.scrubbing.identity import Collected
from serai.deidentify.scrubbing.plan import Plan
from serai.deidentify.scrubbing.values import listed, texts

# Attributes whose whole value is a number, a place or an address of somebody.
NUMBERS: Final = frozenset(
    int(tag, 16)
    for tag in listed(
        "00080050 00080080 00080081 00080094 00081010 00081040 00100020 00100021 00100050 00100218 "
        "00101000 00101002 00101040 00101080 00101090 00102154 00102155 00181000 00181002 00200010 "
        "00321064 00380010 00380300 00380400 00400244 00401001 00402016 00402017 0040A123"
    )
)
BIRTH: Final = frozenset({0x00100030, 0x00100033, 0x00100034})


def collect(data_set: Any, plan: Plan, known: Collected, *, depth: int = 0) -> None:
    """Names, numbers and dates that the profile does not keep on purpose, at every depth."""
    for tag in list(data_set.keys()):
        element = readable(data_set, tag)
        if element is None:
            continue
        if element.VR == "SQ":
            for item in element.value:
                collect(item, plan, known, depth=depth + 1)
            continue
        if plan.action(int(tag), element.VR, nested=depth > 0) == "K":
            continue
        _note(int(tag), element, known)


def _note(tag: int, element: Any, known: Collected) -> None:
    if element.VR == "PN":
        for name in texts(element.value):
            known.name(name)
    elif tag in NUMBERS:
        for number in texts(element.value):
            known.number(number)
    elif tag in BIRTH:
        for day in texts(element.value):
            known.date(day)


def readable(data_set: Any, tag: int) -> Any | None:
    """The element with its value; None when what is written there cannot be read."""
    try:
        element = data_set[tag]
        _ = [str(one) for one in texts(element.value)]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError):
        return None
    except (LookupError, OverflowError, RecursionError, EOFError, OSError):
        return None
    return element
