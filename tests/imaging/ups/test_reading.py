"""What clients send, read strictly: data sets and date-times."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.imaging.ups.asking import a_workitem

from serai.imaging.ups.moments import between, offset
from serai.imaging.ups.reading import data_set
from serai.imaging.ups.workitem import new
from serai.kernel.errors import SeraiError

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
TAGS = st.sampled_from([*a_workitem(), "00081195", "00090010", "7FE00010", "00020010", "x"])
VRS = st.sampled_from(["LO", "SQ", "DS", "DT", "PN", "US", "FL", "OB", "XX", "UI"])
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TAGS | st.sampled_from(["vr", "Value", "Alphabetic"]), inner, max_size=3)
        | st.fixed_dictionaries({"vr": VRS, "Value": st.lists(inner, max_size=2)})
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TAGS, ANYTHING, max_size=4))
def test_whatever_comes_is_read_or_refused(changed: dict[str, Any]) -> None:
    content = json.dumps(a_workitem() | changed).encode()
    try:
        kept = new(data_set(content), "1.2.3", now=NOW).attributes
    except SeraiError as error:
        assert error.key.startswith("ups.")  # noqa: PT017 - either way is right
        return
    # What is kept says the same after it was written.
    assert orjson.loads(orjson.dumps(kept)) == kept
    assert b"\\u0000" not in orjson.dumps(kept)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[{},{}]", b"1", b"\xff", b"[" * 5000])
def test_what_is_no_data_set_is_refused(content: bytes) -> None:
    with pytest.raises(SeraiError, match=r"ups\.not-json"):
        data_set(content)


def at(*parts: int, zone: timezone = UTC) -> datetime:
    return datetime(*parts, tzinfo=zone)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "zone", "low", "high"),
    [
        ("2026", UTC, at(2026, 1, 1), at(2027, 1, 1)),
        ("202602", UTC, at(2026, 2, 1), at(2026, 3, 1)),
        ("202612", UTC, at(2026, 12, 1), at(2027, 1, 1)),
        ("20240229", UTC, at(2024, 2, 29), at(2024, 3, 1)),
        ("2026112508", CHINA, at(2026, 11, 25, 0), at(2026, 11, 25, 1)),
        ("202611250830-0500", CHINA, at(2026, 11, 25, 13, 30), at(2026, 11, 25, 13, 31)),
        ("2026-2027", UTC, at(2026, 1, 1), at(2028, 1, 1)),
        ("20261125-", UTC, at(2026, 11, 25), None),
        ("-20261125", UTC, None, at(2026, 11, 26)),
        ("202611250000+0800-202611260000+0800", UTC, at(2026, 11, 24, 16),
         at(2026, 11, 25, 16, 1)),
    ],
)  # fmt: skip
def test_a_date_time_means_every_moment_it_may(
    text: str, zone: timezone, low: datetime | None, high: datetime | None
) -> None:
    assert between(text, zone) == (low, high - timedelta(microseconds=1) if high else None)


@pytest.mark.parametrize("text", ["", "-", "soon", "20261332", "2026112525", "20261125-x", "202"])
def test_what_is_no_date_time_is_none(text: str) -> None:
    assert between(text) is None


def test_offsets_are_those_of_the_earth() -> None:
    assert offset("+0800") == CHINA
    assert [offset(text) for text in ("+1500", "-1230", "+0860", "0800", "")] == [None] * 5
