from __future__ import annotations

from itertools import count

import pytest

NUMBERS = count(1)


@pytest.fixture
def uid() -> str:
    """Of a workitem of one test; the database may be shared."""
    return f"1.2.3.{next(NUMBERS)}"
