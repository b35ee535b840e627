from __future__ import annotations

from collections.abc import Iterator

import pytest

from serai.deidentify.pixels.reading import Reader


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """One process for the run: its models take half a second to load."""
    with Reader() as started:
        yield started
