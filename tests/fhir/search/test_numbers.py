"""Numbers and quantities: read with their precision, or refused."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.fhir.search.measured import measured
from serai.fhir.search.numbers import parse_number, stored_number
from serai.fhir.search.quantities import parse_quantity
from serai.fhir.search.units import UCUM
from serai.kernel.errors import Malformed

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
UNITS = st.sampled_from(["mg", "[degF]", "Cel", "/min", "[lb_av]", "[psi]", "mmol/L", "tablets"])


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("100", "99.5", "100.5"),
        ("100.00", "99.995", "100.005"),
        ("1e2", "95", "105"),
        ("1.0e2", "95", "105"),
        ("-0.5", "-0.55", "-0.45"),
        ("0", "-0.5", "0.5"),
        ("ap100", "90", "110"),
        ("ap1", "0.5", "1.5"),
    ],
)
def test_the_digits_written_say_how_near_is_equal(text: str, low: str, high: str) -> None:
    found = parse_number("x", text)
    assert (found.low, found.high) == (Decimal(low), Decimal(high))


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        found = parse_number("x", text)
    except Malformed:
        return
    assert found.low <= found.value < found.high


@given(DECIMALS)
def test_a_number_finds_itself(value: Decimal) -> None:
    stored = stored_number(value)
    if stored is None or len(value.as_tuple().digits) > 99:
        return
    try:
        found = parse_number("x", str(value).lower())
    except Malformed:
        return
    assert found.low <= stored < found.high
    assert found.value == stored


@given(DECIMALS, UNITS)
def test_a_quantity_finds_itself_in_its_own_unit(value: Decimal, unit: str) -> None:
    quantity = {"value": value, "system": UCUM, "code": unit}
    stored = measured("x", quantity, quantity, quantity)
    try:
        asked = parse_quantity("x", [str(value).lower(), UCUM, unit])
    except Malformed:
        return
    assert stored is not None
    assert asked.measure == stored.measure
    assert asked.in_measure is not None
    assert stored.measured_low is not None
    assert asked.in_measure.low <= stored.measured_low < asked.in_measure.high
    assert asked.in_measure.value == stored.measured_low


@given(st.lists(st.text(max_size=12), max_size=5))
def test_any_parts_are_a_quantity_or_refused(parts: list[str]) -> None:
    with suppress(Malformed):
        parse_quantity("x", parts)
