"""Quantities, money, ranges and sampled data as what they can be found by (R4 §3.1.1.4.13)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from serai.fhir.search.indexed import INFINITY, QuantityValue
from serai.fhir.search.numbers import stored_number
from serai.fhir.search.quantities import measure_of
from serai.fhir.search.units import UCUM, canonical

CURRENCY = "urn:iso:std:iso:4217"


def measured(
    param: str, unit: Mapping[str, object], low: object, high: object
) -> QuantityValue | None:
    """From `low` to `high`, which may be missing or one and the same, in the unit of `unit`."""
    lowest, highest = _value(low), _value(high)
    if lowest is None and highest is None:
        return None
    return _between(
        param,
        unit,
        -INFINITY if lowest is None else lowest,
        INFINITY if highest is None else highest,
    )


def sampled(param: str, data: Mapping[str, object]) -> QuantityValue | None:
    """The bounds of the values: each is origin + factor × what is written (R4 §2.24.0.8)."""
    origin = data.get("origin")
    unit = origin if isinstance(origin, dict) else {}
    start = _value(origin) or Decimal(0)
    factor = stored_number(data.get("factor"))
    times = Decimal(1) if factor is None else factor
    values = [start + times * one for one in _samples(data)]
    return _between(param, unit, min(values), max(values)) if values else None


def _samples(data: Mapping[str, object]) -> list[Decimal]:
    """E is an error; L and U are beyond the limits that are given."""
    written = data.get("data")
    limits = {
        "L": stored_number(data.get("lowerLimit")),
        "U": stored_number(data.get("upperLimit")),
    }
    words = written.split() if isinstance(written, str) else []
    found = (limits[word] if word in limits else _sample(word) for word in words)
    return [one for one in found if one is not None]


def _sample(word: str) -> Decimal | None:
    plain = word.lstrip("-").replace(".", "", 1)
    return stored_number(Decimal(word)) if plain.isascii() and plain.isdigit() else None


def _between(param: str, unit: Mapping[str, object], low: Decimal, high: Decimal) -> QuantityValue:
    system, code = _text(unit, "system"), _text(unit, "code")
    if currency := _text(unit, "currency"):
        system, code = CURRENCY, currency
    name = _text(unit, "unit")
    if not system or not code:
        return QuantityValue(param, low, high, code=code, unit=name)
    measure = canonical(code) if system == UCUM else None
    return QuantityValue(
        param,
        low,
        high,
        measure_of(system, code, measure),
        measure.of(low) if measure else low,
        measure.of(high) if measure else high,
        code,
        name,
    )


def _value(quantity: object) -> Decimal | None:
    return stored_number(quantity.get("value")) if isinstance(quantity, dict) else None


def _text(unit: Mapping[str, object], name: str) -> str | None:
    found = unit.get(name)
    return found[:200] if isinstance(found, str) else None
