"""Date search values: prefixes over implicit ranges (R4 §3.1.1.4.7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from serai.fhir.search.intervals import EARLIEST, LATEST, interval
from serai.kernel.errors import Malformed

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


@dataclass(frozen=True, slots=True)
class DateRange:
    """`low` is inside the range, `high` is the first moment after it."""

    prefix: str
    low: datetime
    high: datetime


def parse_date(param: str, text: str, *, now: datetime) -> DateRange:
    """``ge2024-03`` → ≥ [2024-03-01, 2024-04-01); a time without zone counts as UTC."""
    prefix, value = (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)
    # The + before a zone arrives as the space it means in a form.
    found = interval(value.replace(" ", "+"))
    if found is None:
        raise Malformed("search.date", parameter=param)
    low, high = found
    if prefix == "ap":
        margin = abs(now - low) / 10
        low, high = _shifted(low, -margin), _shifted(high, margin)
    return DateRange(prefix, low, high)


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return EARLIEST if by < timedelta(0) else LATEST
