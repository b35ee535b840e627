"""A date covers what its precision says, in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.fhir.search.intervals import EARLIEST, LATEST, interval


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2024", at(2024, 1, 1), at(2025, 1, 1)),
        ("2024-02", at(2024, 2, 1), at(2024, 3, 1)),
        ("2024-12", at(2024, 12, 1), at(2025, 1, 1)),
        ("2024-02-29", at(2024, 2, 29), at(2024, 3, 1)),
        ("2024-02-29T10:30", at(2024, 2, 29, 10, 30), at(2024, 2, 29, 10, 31)),
        ("2024-02-29T10:30:15Z", at(2024, 2, 29, 10, 30, 15), at(2024, 2, 29, 10, 30, 16)),
        ("2024-03-01T00:30:00+08:00", at(2024, 2, 29, 16, 30), at(2024, 2, 29, 16, 30, 1)),
        ("2024-02-29T22:00:00-05:30", at(2024, 3, 1, 3, 30), at(2024, 3, 1, 3, 30, 1)),
        (
            "2024-02-29T10:30:15.25Z",
            at(2024, 2, 29, 10, 30, 15, 250_000),
            at(2024, 2, 29, 10, 30, 15, 260_000),
        ),
        ("2016-12-31T23:59:60Z", at(2016, 12, 31, 23, 59, 59), at(2017, 1, 1)),
        ("9999", at(9999, 1, 1), LATEST),
        ("9999-12-31", at(9999, 12, 31), LATEST),
        ("0001-01-01T00:00:00+14:00", EARLIEST, EARLIEST + timedelta(seconds=1)),
    ],
)
def test_a_date_covers_its_precision(text: str, low: datetime, high: datetime) -> None:
    assert interval(text) == (low, high)


@pytest.mark.parametrize("text", ["", "24", "2024-13", "2023-02-29", "2024-01-01T", "tomorrow",
                                  "2024-01-01T25:00:00Z", "0000", "٢٠٢٤"])  # fmt: skip
def test_what_is_no_date_has_no_interval(text: str) -> None:
    assert interval(text) is None


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)))
def test_an_instant_lies_within_its_interval(moment: datetime) -> None:
    offset = moment.utcoffset()
    if offset is None or offset % timedelta(minutes=1) or abs(offset) > timedelta(hours=14):
        return
    span = interval(moment.isoformat(timespec="microseconds"))
    assert span is not None
    low, high = span
    assert low <= high
    if low > EARLIEST and high < LATEST:
        assert low <= moment < high


@given(st.dates(max_value=date(9998, 12, 31)))
def test_coarser_dates_contain_finer_ones(day: date) -> None:
    year, month, exact = (interval(day.isoformat()[:length]) for length in (4, 7, 10))
    assert year is not None
    assert month is not None
    assert exact is not None
    assert year[0] <= month[0] <= exact[0] < exact[1] <= month[1] <= year[1]


@given(st.text() | st.from_regex(r"[0-9]{4}(-[0-9]{2}){0,2}(T[0-9:.]*)?(Z|[+-][0-9:]*)?"))
def test_any_text_is_an_interval_or_none(text: str) -> None:
    span = interval(text)
    assert span is None or span[0] <= span[1]
