"""What an administrator looks at, as values: no content of any resource is among them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

Row = TypeVar("Row")

PER_PAGE = 25
# What may be done with a job, by its status.
CANCELLABLE = frozenset({"waiting", "running", "failed"})
RETRIABLE = frozenset({"failed"})


@dataclass(frozen=True, slots=True)
class Watched:
    """A subscription with how far it is told. `place` is where it goes, without what may be
    secret in an address."""

    id: str
    status: str
    channel: str
    reason: str
    criteria: str
    place: str
    last_sent: datetime | None
    last_error: str | None
    told: int
    waiting: int
    dead: int

    @property
    def is_on(self) -> bool:
        return self.status != "off"


@dataclass(frozen=True, slots=True)
class Paged(Generic[Row]):
    """One page, and whether another follows."""

    rows: tuple[Row, ...]
    start: int
    more: bool
