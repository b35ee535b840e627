"""Dates as half-open intervals in UTC: what a date of that precision covers (R4 §3.1.1.4.7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

Interval = tuple[datetime, datetime]

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)

DATE_TIME: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)


# A resource says the same moment again and again, and is validated before it is indexed.
@lru_cache(maxsize=1024)
def interval(text: str) -> Interval | None:
    """[low, high) of a date, dateTime, instant or search value; None when it is none of them.

    Without a zone a time is taken as UTC, so that a date covers that day in UTC.
    """
    match = DATE_TIME.fullmatch(text)
    if match is None:
        return None
    try:
        return _interval(match)
    except ValueError:
        return None


def _interval(match: re.Match[str]) -> Interval:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    if hour is None:
        return start, _end_of_days(start, month, day)
    leaps = second == "60"
    start = datetime(
        start.year, start.month, start.day, int(hour), int(minute),
        59 if leaps else int(second or 0), int((fraction or "").ljust(6, "0")[:6]),
        tzinfo=_zone(zone),
    )  # fmt: skip
    length = timedelta(minutes=1) if second is None else _precision(fraction)
    low = _in_utc(start)
    return low, _later(low, length)


def _end_of_days(start: datetime, month: str | None, day: str | None) -> datetime:
    if day is not None:
        return _later(start, timedelta(days=1))
    years, months = (0, start.month) if month is not None else (1, 0)
    following = start.year + years + months // 12
    if following > LATEST.year:
        return LATEST
    return start.replace(year=following, month=months % 12 + 1)


def _precision(fraction: str | None) -> timedelta:
    """A second, or what the last digit written stands for, down to microseconds."""
    digits = min(len(fraction or ""), 6)
    return timedelta(microseconds=10 ** (6 - digits))


def _zone(zone: str | None) -> timezone:
    if zone is None or zone == "Z":
        return UTC
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return timezone(-offset if zone[0] == "-" else offset)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return EARLIEST if moment.year == EARLIEST.year else LATEST


def _later(moment: datetime, length: timedelta) -> datetime:
    try:
        return moment + length
    except OverflowError:
        return LATEST
