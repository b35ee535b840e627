"""When a series counts as complete, by the strongest sign there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serai.imaging.analysis.completeness import PATIENCE, QUIET, UNENDED_QUIET, Signs, complete

LAST = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
THREE = frozenset({"1.1", "1.2", "1.3"})
JUST_CAME = Signs(present=THREE, numbers=(1, 2, 3), last_at=LAST, ended_at=None)


@pytest.mark.parametrize(
    ("signs", "after", "reason"),
    [
        ({}, SECOND, None),
        ({"performed": THREE}, SECOND, "mpps"),
        ({"performed": THREE | {"1.4"}, "ended_at": LAST}, QUIET, None),
        ({"performed": THREE | {"1.4"}, "ended_at": LAST}, PATIENCE, "quiet"),
        ({"committed": THREE}, SECOND, "commitment"),
        ({"committed": frozenset({"1.1"}), "numbers": (7, 8, 9)}, SECOND, None),
        ({"stated": 3}, SECOND, None),
        ({"stated": 3, "ended_at": LAST}, SECOND, "count"),
        ({"stated": 4, "ended_at": LAST}, QUIET, None),
        ({"ended_at": LAST}, SECOND, None),
        ({"ended_at": LAST}, 10 * SECOND, "contiguous"),
        ({"ended_at": LAST, "numbers": (0, 1, 2)}, 10 * SECOND, "contiguous"),
        ({"ended_at": LAST, "numbers": (1, 2, 4)}, 10 * SECOND, None),
        ({"ended_at": LAST, "numbers": (1, 2, 2)}, 10 * SECOND, None),
        ({"ended_at": LAST, "numbers": (1, None, 3)}, 10 * SECOND, None),
        ({"ended_at": LAST, "numbers": (1, 2, 4)}, QUIET, "quiet"),
        ({"ended_at": LAST - SECOND}, QUIET, None),
        ({"ended_at": LAST - SECOND}, UNENDED_QUIET, "quiet"),
        ({"performed": THREE, "committed": THREE, "ended_at": LAST}, SECOND, "mpps"),
    ],
    ids=str,
)
def test_the_strongest_sign_decides(
    signs: dict[str, Any], after: timedelta, reason: str | None
) -> None:
    assert complete(replace(JUST_CAME, **signs), LAST + after) == reason
