"""What a resource can be found by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

INFINITY: Final = Decimal("Infinity")


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
    """Text as written; `serai.fhir.search.folding.fold` makes it comparable.

    `held`, here and below, is what a composite's first component has beside this value.
    """

    param: str
    value: str
    held: tuple[int, ...] | None = None


class DateValue(NamedTuple):
    """[low, high) in UTC; None is open."""

    param: str
    low: datetime | None
    high: datetime | None
    held: tuple[int, ...] | None = None


class QuantityValue(NamedTuple):
    """A number or quantity, [low, high] both inside: as written, and in its canonical unit.

    Without a unit `measure` is None; then the second pair is the second of two numbers that a
    composite holds together.
    """

    param: str
    low: Decimal
    high: Decimal
    measure: int | None = None
    measured_low: Decimal | None = None
    measured_high: Decimal | None = None
    code: str | None = None
    unit: str | None = None
    held: tuple[int, ...] | None = None


class PositionValue(NamedTuple):
    """A place on earth in degrees (WGS84)."""

    param: str
    latitude: float
    longitude: float


Components = tuple[TokenValue | ReferenceValue, ...]


class PairValue(NamedTuple):
    """The equality values of a composite's components, from one and the same element."""

    param: str
    components: tuple[Components, Components]


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
    quantities: tuple[QuantityValue, ...] = ()
    pairs: tuple[PairValue, ...] = ()
    positions: tuple[PositionValue, ...] = ()


class Harvest:
    """The values found so far while walking one resource."""

    __slots__ = (
        "dates", "pairs", "positions", "quantities", "references", "strings", "tokens", "uris",
    )  # fmt: skip

    def __init__(self) -> None:
        self.tokens: list[TokenValue] = []
        self.references: list[ReferenceValue] = []
        self.strings: list[StringValue] = []
        self.dates: list[DateValue] = []
        self.uris: list[UriValue] = []
        self.quantities: list[QuantityValue] = []
        self.pairs: list[PairValue] = []
        self.positions: list[PositionValue] = []
