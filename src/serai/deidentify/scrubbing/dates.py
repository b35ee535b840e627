"""DA, DT and TM values moved by whole days; times of day stay (PS3.15 §E.3.6)."""

from __future__ import annotations

import re
from datetime import date, timedelta

DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")


def shifted(value: str, days: int) -> str | None:
    """The value with its day moved; None when it does not name a day."""
    text = value.strip()
    found = DATE.match(text)
    if found is None:
        return None
    try:
        day = date(*(int(part) for part in found.groups())) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return f"{day.year:04d}{day:%m%d}{text[found.end() :]}"
