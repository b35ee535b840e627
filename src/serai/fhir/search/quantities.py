"""Quantity search values: number, system and unit (R4 §3.1.1.4.13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from serai.fhir.search.keys import key
from serai.fhir.search.numbers import NumberRange, parse_number
from serai.fhir.search.units import UCUM, Canonical, canonical
from serai.kernel.errors import Malformed


@dataclass(frozen=True, slots=True)
class QuantityRange:
    """A range in some unit: `measure` is the key of `measure_of`, `unit` code or name as written.

    With neither, the number is looked for whatever its unit; with both, either may match.
    """

    range: NumberRange
    measure: int | None = None
    in_measure: NumberRange | None = None
    unit: str | None = None


def parse_quantity(param: str, parts: Sequence[str]) -> QuantityRange:
    """``5.4|http://unitsofmeasure.org|mg``, ``5.4||mg``, ``5.4``; `parts` without escapes."""
    if len(parts) not in (1, 3):
        raise Malformed("search.quantity", parameter=param)
    number = parse_number(param, parts[0])
    if len(parts) == 1 or not (parts[1] or parts[2]):
        return QuantityRange(number)
    _, system, code = parts
    if not code:
        raise Malformed("search.quantity", parameter=param)
    unit = canonical(code) if system in ("", UCUM) else None
    measure = measure_of(system or UCUM, code, unit)
    if not system:
        found = measure if unit else None
        return QuantityRange(number, found, _converted(number, unit) if unit else None, code)
    return QuantityRange(number, measure, _converted(number, unit) if unit else number)


def measure_of(system: str, code: str, unit: Canonical | None) -> int:
    """What two quantities must share to be compared: a dimension, or the very same unit."""
    if unit is not None:
        return key("measure", unit.dimension)
    return key("unit", system, code)


def _converted(number: NumberRange, unit: Canonical) -> NumberRange:
    def to(value: Decimal) -> Decimal:
        return unit.of(value)

    return NumberRange(number.prefix, to(number.value), to(number.low), to(number.high))
