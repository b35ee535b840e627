"""Number search values: prefixes over the range that the digits written imply (R4 §3.1.1.4.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from serai.fhir.search.dates import PREFIXES
from serai.kernel.errors import Malformed

# PostgreSQL's numeric holds far more; nothing that is measured does.
MOST_DIGITS: Final = 100
HIGHEST_POWER: Final = 400

NUMBER: Final = re.compile(r"[+-]?[0-9]{1,100}(?:\.[0-9]{1,100})?(?:[eE][+-]?[0-9]{1,3})?")
_EXACT: Final = Context(prec=2 * MOST_DIGITS + 10, Emax=10**6, Emin=-(10**6))
_STORED: Final = Context(prec=MOST_DIGITS, Emax=10**6, Emin=-(10**6))


@dataclass(frozen=True, slots=True)
class NumberRange:
    """`value` as written; [low, high) is what rounds to it, or for ap what is near to it."""

    prefix: str
    value: Decimal
    low: Decimal
    high: Decimal


def parse_number(param: str, text: str) -> NumberRange:
    """``100`` → [99.5, 100.5), ``100.00`` → [99.995, 100.005), ``1e2`` → [95, 105)."""
    prefix, digits = (text[:2], text[2:]) if text[:2] in PREFIXES else ("eq", text)
    # A + arrives as the space it means in a form.
    digits = "+" + digits[1:] if digits.startswith(" ") else digits.replace("e ", "e+")
    if not NUMBER.fullmatch(digits):
        raise Malformed("search.number", parameter=param)
    value = Decimal(digits)
    exponent = value.as_tuple().exponent
    too_long = len(value.as_tuple().digits) > MOST_DIGITS
    if not isinstance(exponent, int) or too_long or not within_reach(value):
        raise Malformed("search.number", parameter=param)
    # R4's own example: 1e2 is [95, 105), one digit more than it has.
    finer = 1 if "e" in digits.lower() and "." not in digits else 0
    half = Decimal((0, (5,), exponent - 1 - finer))
    if prefix == "ap":
        half = max(half, _EXACT.divide(value.copy_abs(), Decimal(10)))
    return NumberRange(prefix, value, _EXACT.subtract(value, half), _EXACT.add(value, half))


def within_reach(value: Decimal) -> bool:
    """Whether its first and last digit are of a size that is indexed."""
    if not value.is_finite():
        return False
    exponent = value.as_tuple().exponent
    lowest = exponent if isinstance(exponent, int) else 0
    return lowest >= -HIGHEST_POWER and value.adjusted() <= HIGHEST_POWER


def stored_number(value: object) -> Decimal | None:
    """A JSON number to be found by; None for one that no measurement is written with."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    # Decoders give Decimal; a float made in this process means the digits it shows.
    exact = Decimal(repr(value)) if isinstance(value, float) else _decimal(value)
    return _STORED.plus(exact) if exact is not None and within_reach(exact) else None


def _decimal(value: int | Decimal) -> Decimal | None:
    if isinstance(value, int):
        return Decimal(value) if value.bit_length() < 4 * HIGHEST_POWER else None
    return value
