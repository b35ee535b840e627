"""What a resource can be found by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class TokenValue(NamedTuple):
    """A code. `system` is None where there is none; for a FHIR code it is the one implied."""

    param: str
    system: str | None
    code: str


class ReferenceValue(NamedTuple):
    """A pointer: `type` and `id` where the address names them, `url` unless it is relative."""

    param: str
    type: str | None
    id: str | None
    url: str | None


class StringValue(NamedTuple):
    """Text as written; `serai.fhir.search.folding.fold` makes it comparable."""

    param: str
    value: str


class DateValue(NamedTuple):
    """[low, high) in UTC; None is open."""

    param: str
    low: datetime | None
    high: datetime | None


class UriValue(NamedTuple):
    param: str
    value: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """Each value once."""

    tokens: tuple[TokenValue, ...]
    references: tuple[ReferenceValue, ...]
    strings: tuple[StringValue, ...]
    dates: tuple[DateValue, ...]
    uris: tuple[UriValue, ...]


class Harvest:
    """The values found so far while walking one resource."""

    __slots__ = ("dates", "references", "strings", "tokens", "uris")

    def __init__(self) -> None:
        self.tokens: list[TokenValue] = []
        self.references: list[ReferenceValue] = []
        self.strings: list[StringValue] = []
        self.dates: list[DateValue] = []
        self.uris: list[UriValue] = []
