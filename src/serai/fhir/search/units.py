"""Units of measure in UCUM's case-sensitive form, brought to one canonical unit each.

`g/dL` and `mg/L` measure the same thing, so a value in either is found by the other (R4
§3.1.1.4.13). Amounts of substance and arbitrary units such as [iU] are kept apart from plain
numbers: 5 mmol is not 3×10²¹, whatever UCUM's arithmetic says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

from serai.fhir.search.unit_table import ATOMS, METRIC, PREFIXES, SHIFTED

UCUM: Final = "http://unitsofmeasure.org"
LONGEST_CODE: Final = 100
HIGHEST_POWER: Final = 30

# Beyond the digits of any value, so that a range around it never closes.
_DIGITS: Final = Context(prec=130, Emax=10**6, Emin=-(10**6))
_TOKEN: Final = re.compile(
    r"(?P<annotation>\{[\x21-\x7a|~]*\})"
    r"|(?P<operator>[./()])"
    r"|(?P<power>10[*^])(?P<tens>[+-]?[0-9]{1,2})?"
    r"|(?P<number>[0-9]{1,20})(?![0-9])"
    r"|(?P<unit>(?:[A-Za-z%'\"_]|\[[^\[\]{}\s]*\])+)(?P<exponent>[+-]?[0-9]{1,2})?"
)


@dataclass(frozen=True, slots=True)
class Canonical:
    """What a unit measures, and how a value in it becomes one in the canonical unit."""

    dimension: str
    factor: Fraction
    shift: Fraction = Fraction(0)

    def of(self, value: Decimal) -> Decimal:
        """The value in the canonical unit, to 130 digits."""
        if not value.is_finite():
            return value
        if self.shift:
            shift = _DIGITS.divide(Decimal(self.shift.numerator), Decimal(self.shift.denominator))
            value = _DIGITS.add(value, shift)
        times = _DIGITS.multiply(value, Decimal(self.factor.numerator))
        return _DIGITS.divide(times, Decimal(self.factor.denominator))


class _NotRead(Exception):
    """No unit of the table."""


@dataclass(slots=True)
class _Measure:
    """A factor and powers of base units."""

    factor: Fraction
    powers: dict[str, int]

    def times(self, other: _Measure, sign: int) -> _Measure:
        powers = dict(self.powers)
        for base, power in other.powers.items():
            powers[base] = powers.get(base, 0) + sign * power
        return _Measure(self.factor * other.factor**sign, powers)

    def to(self, exponent: int) -> _Measure:
        powers = {base: power * exponent for base, power in self.powers.items()}
        return _Measure(self.factor**exponent, powers)


@lru_cache(maxsize=4096)
def canonical(code: str) -> Canonical | None:
    """None for a code that is not UCUM, or that is beyond the table."""
    if code in SHIFTED:
        factor, shift = SHIFTED[code]
        return Canonical("K", factor, shift)
    try:
        measure = _whole(code)
    except (_NotRead, RecursionError):
        return None
    parts = (f"{base}{power}" for base, power in sorted(measure.powers.items()) if power)
    return Canonical(".".join(parts) or "1", measure.factor)


def _whole(code: str) -> _Measure:
    if not code or len(code) > LONGEST_CODE:
        raise _NotRead(code)
    tokens = list(_tokens(code))
    measure, position = _term(tokens, 0)
    if position != len(tokens):
        raise _NotRead(code)
    return measure


def _tokens(code: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(code):
        match = _TOKEN.match(code, position)
        if match is None:
            raise _NotRead(code)
        yield match
        position = match.end()


def _term(tokens: list[re.Match[str]], position: int) -> tuple[_Measure, int]:
    """``/s``, ``mg/dL``, ``kg.m/s2``: from left to right, as UCUM reads them (§7)."""
    measure = _Measure(Fraction(1), {})
    sign = 1
    if position < len(tokens) and tokens[position]["operator"] == "/":
        sign, position = -1, position + 1
    while True:
        component, position = _component(tokens, position)
        measure = measure.times(component, sign)
        operator = tokens[position]["operator"] if position < len(tokens) else None
        if operator not in (".", "/"):
            return measure, position
        sign, position = (1 if operator == "." else -1), position + 1


def _component(tokens: list[re.Match[str]], position: int) -> tuple[_Measure, int]:
    if position >= len(tokens):
        raise _NotRead
    token = tokens[position]
    if token["operator"] == "(":
        measure, position = _term(tokens, position + 1)
        if position >= len(tokens) or tokens[position]["operator"] != ")":
            raise _NotRead
    elif token["operator"]:
        raise _NotRead
    else:
        measure = _simple(token)
    position += 1
    if position < len(tokens) and tokens[position]["annotation"] and not token["annotation"]:
        position += 1
    return measure, position


def _simple(token: re.Match[str]) -> _Measure:
    if token["annotation"]:
        return _Measure(Fraction(1), {})
    if token["power"]:
        return _Measure(Fraction(10) ** int(token["tens"] or 1), {})
    if token["number"]:
        if not int(token["number"]):
            raise _NotRead
        return _Measure(Fraction(int(token["number"])), {})
    exponent = int(token["exponent"] or 1)
    if abs(exponent) > HIGHEST_POWER:
        raise _NotRead
    return _unit(token["unit"]).to(exponent)


def _unit(name: str) -> _Measure:
    if name in ATOMS:
        return _atom(name)
    for length in (2, 1):
        prefix, rest = name[:length], name[length:]
        if prefix in PREFIXES and rest in METRIC:
            measure = _atom(rest)
            return _Measure(measure.factor * PREFIXES[prefix], measure.powers)
    raise _NotRead(name)


def _atom(name: str) -> _Measure:
    factor, definition = ATOMS[name]
    if definition is None:
        return _Measure(Fraction(1), {name: 1})
    if definition == "":
        return _Measure(factor, {})
    measure = _whole(definition)
    return _Measure(measure.factor * factor, measure.powers)
