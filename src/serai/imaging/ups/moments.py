"""DICOM date-times (PS3.5 §6.2, DT) as the stretch of time they name."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

DT = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?)?)?)?"
    r"([+-]\d{4})?"
)
OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")
RANGE = re.compile(r"(\d{4}[\d.]*(?:[+-]\d{4}(?!\d))?)?(-)(\d{4}[\d.]*(?:[+-]\d{4})?)?")
LAST_OF = timedelta(microseconds=1)
PARTS = 6

Stretch = tuple[datetime, datetime]


def offset(text: str) -> timezone | None:
    """A Timezone Offset From UTC; None when it is none."""
    found = OFFSET.fullmatch(text)
    if found is None or int(found[3]) > 59:
        return None
    span = timedelta(hours=int(found[2]), minutes=int(found[3]))
    signed = -span if found[1] == "-" else span
    return timezone(signed) if timedelta(hours=-12) <= signed <= timedelta(hours=14) else None


def stretch(text: str, zone: timezone = UTC) -> Stretch | None:
    """From the first to the last moment that the value may mean; without an offset of its own it
    is in `zone`. None when it is no DT."""
    found = DT.fullmatch(text.strip())
    if found is None:
        return None
    own = offset(found[8]) if found[8] else zone
    given = [int(part) for part in found.groups()[:PARTS] if part is not None]
    fraction = int((found[7] or "").ljust(6, "0"))
    filled = [*given, *(1, 1, 1, 0, 0, 0)[len(given) :]]
    if own is None:
        return None
    year, month, day, hour, minute, second = filled[:PARTS]
    try:
        first = datetime(year, month, day, hour, minute, second, fraction, own)
        return first, _next(first, len(given), found[7] or "") - LAST_OF
    except (ValueError, OverflowError):
        return None


def between(text: str, zone: timezone = UTC) -> tuple[datetime | None, datetime | None] | None:
    """The bounds of a single value or a range (PS3.4 §C.2.2.2.5); None when it is neither."""
    single = stretch(text, zone)
    # 2026-1200 is a year with an offset and nothing else; a range of years has four digits more.
    if single is not None:
        return single
    found = RANGE.fullmatch(text.strip())
    if found is None or not (found[1] or found[3]):
        return None
    low = stretch(found[1], zone) if found[1] else None
    high = stretch(found[3], zone) if found[3] else None
    if (found[1] and low is None) or (found[3] and high is None):
        return None
    return (low[0] if low else None), (high[1] if high else None)


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S") + "+0000"


def _next(first: datetime, parts: int, fraction: str) -> datetime:
    """The first moment after a value given to so many parts."""
    if parts == 1:
        return first.replace(year=first.year + 1)
    if parts == 2:
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    if fraction:
        return first + timedelta(microseconds=10 ** (6 - len(fraction)))
    units = {3: timedelta(days=1), 4: timedelta(hours=1), 5: timedelta(minutes=1)}
    return first + units.get(parts, timedelta(seconds=1))
