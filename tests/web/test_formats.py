"""Times, ages and numbers as the reader writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from serai.web import formats
from serai.web.reader import Reader, reading_as

ENGLISH = Reader("en", ZoneInfo("Asia/Shanghai"))
CHINESE = Reader("zh", ZoneInfo("Asia/Shanghai"))
LATE = datetime(2026, 11, 23, 20, 5, tzinfo=UTC)


def test_a_time_is_shown_in_the_zone_of_the_reader() -> None:
    with reading_as(ENGLISH):
        assert ">24 Nov 2026, 04:05<" in formats.when(LATE)
    with reading_as(CHINESE):
        assert ">2026年11月24日 04:05<" in formats.when("2026-11-23T20:05:00Z")
    assert ">23 Nov 2026, 20:05<" in formats.when(LATE)


def test_a_day_follows_the_zone_too_but_a_birthday_never_moves() -> None:
    with reading_as(ENGLISH):
        assert ">24 Nov 2026<" in formats.day(LATE)
        assert ">23 Nov 2026<" in formats.day("2026-11-23")


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [("1950", "1950", "1950年"), ("1950-05", "May 1950", "1950年5月"), ("", "", "")],
)
def test_a_partial_date_stays_partial(value: str, english: str, chinese: str) -> None:
    for reader, expected in ((ENGLISH, english), (CHINESE, chinese)):
        with reading_as(reader):
            shown = str(formats.when(value))
            assert (f">{expected}<" in shown) if expected else shown == ""


def test_how_long_ago_is_spoken() -> None:
    now = LATE + timedelta(hours=2)
    with reading_as(ENGLISH):
        assert ">2 hours ago<" in formats.ago(LATE, now)
    with reading_as(CHINESE):
        assert ">2小时前<" in formats.ago(LATE, now)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(seconds=59), "0 mins"),
        (timedelta(minutes=125), "2 hrs 5 mins"),
        (timedelta(days=3, hours=4, minutes=5), "3 days 4 hrs"),
        (7200, "2 hrs"),
        (-5, "0 mins"),
        (None, ""),
    ],
)
def test_waiting_is_told_in_its_two_largest_units(
    duration: timedelta | float | None, expected: str
) -> None:
    assert formats.waited(duration) == expected


@pytest.mark.parametrize(
    ("born", "english", "chinese"),
    [
        ("2026-11-20", "3 days", "3天"),
        ("2026-11-23", "0 days", "0天"),
        ("2025-12-24", "10 months", "10个月"),
        ("2024-11-23", "2 years", "2岁"),
        ("1964-11-24", "61 years", "61岁"),
        ("1964", "62 years", "62岁"),
        (date(1964, 2, 29), "62 years", "62岁"),
        (None, "", ""),
    ],
)
def test_an_age_is_said_as_clinicians_say_it(
    born: str | date | None, english: str, chinese: str
) -> None:
    for reader, expected in ((ENGLISH, english), (CHINESE, chinese)):
        with reading_as(reader):
            assert formats.age(born, date(2026, 11, 23)) == expected


def test_countries_and_numbers_speak_the_language() -> None:
    with reading_as(CHINESE):
        assert formats.territory("LA") == "老挝"
        assert formats.number(12345.5) == "12,345.5"
    assert formats.territory("LA") == "Laos"
    assert formats.territory("XX") == "XX"
