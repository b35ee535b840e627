"""What is wanted of the archive, whichever protocol asked (PS3.4 §C.2.2, PS3.18 §10.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from serai.imaging.search.keys import Key, Level

# More than this is asked for in pages.
MAX_RESULTS = 10_000


@dataclass(frozen=True, slots=True)
class Filter:
    """One attribute and what it shall match, as written."""

    key: Key
    value: str


@dataclass(frozen=True, slots=True)
class Query:
    """What is wanted: objects of `level` under the addressed study and series."""

    level: Level
    filters: tuple[Filter, ...]
    include: frozenset[str]
    include_all: bool
    limit: int
    offset: int
    fuzzy_asked: bool = False

    @classmethod
    def all_of(
        cls, level: Level, filters: Iterable[Filter], *, limit: int, offset: int = 0
    ) -> Query:
        """Every attribute kept of what the filters match."""
        return cls(level, tuple(filters), frozenset(), True, limit, offset)  # noqa: FBT003
