"""Time, always aware and in UTC inside the house."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, cut to the millisecond that FHIR instants and our columns keep."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def instant(moment: datetime) -> str:
    """FHIR `instant` with milliseconds, e.g. ``2026-11-23T08:00:00.000Z``."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    )
