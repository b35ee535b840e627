"""Units as UCUM defines them, beside an independent implementation."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from ucumvert import PintUcumRegistry

from serai.fhir.search.units import canonical

COMMON = Path("node_modules/hl7.fhir.r4.examples/ValueSet-ucum-common.json")

# In everyday use; ucum-common is for the rest.
CLINICAL = (
    "kg", "g", "mg", "ug", "ng", "[lb_av]", "[oz_av]", "cm", "mm", "m", "[in_i]", "[ft_i]", "m2",
    "kg/m2", "mL", "L", "dL", "uL", "fL", "mg/dL", "g/dL", "g/L", "mmol/L", "umol/L", "nmol/L",
    "pmol/L", "meq/L", "ng/mL", "ug/L", "pg/mL", "U/L", "10*3/uL", "10*6/uL", "10*9/L", "10*12/L",
    "%", "/min", "{beats}/min", "mL/min", "mL/min/{1.73_m2}", "L/min", "kPa", "cm[H2O]", "h", "min",
    "s", "ms", "d", "wk", "mo", "a", "mg/g{creat}", "mg/kg/d", "ug/kg/min", "kcal", "kJ", "mV",
    "mSv", "mGy", "Hz", "pg", "mosm/kg", "[tsp_us]", "[foz_us]", "/[HPF]",
)  # fmt: skip


def si(code: str, registry: PintUcumRegistry) -> float:
    """The factor to grams, metres and seconds, of which pint has kilograms."""
    found = registry.from_ucum(code).to_base_units()
    mass = found.dimensionality.get("[mass]", 0)
    return float(found.magnitude) * float(1000 ** float(mass))


def test_clinical_units_are_what_an_independent_table_says() -> None:
    registry = PintUcumRegistry()
    for code in CLINICAL:
        ours = canonical(code)
        assert ours is not None, code
        assert float(ours.factor) == pytest.approx(si(code, registry), rel=1e-5), code


@pytest.mark.skipif(not COMMON.is_file(), reason="needs `make setup` (node_modules)")
def test_nine_tenths_of_the_common_units_are_read() -> None:
    include = json.loads(COMMON.read_text(encoding="utf-8"))["compose"]["include"]
    codes = [concept["code"] for part in include for concept in part.get("concept", [])]
    unread = [code for code in codes if canonical(code) is None]
    assert len(unread) < len(codes) / 8


@pytest.mark.parametrize(
    ("value", "unit", "same", "other"),
    [
        ("5.4", "g", "5400", "mg"),
        ("1", "[lb_av]", "0.45359237", "kg"),
        ("37", "Cel", "98.6", "[degF]"),
        ("7", "d", "1", "wk"),
        ("1", "mm[Hg]", "0.133322", "kPa"),
        ("60", "/min", "1", "Hz"),
        ("1", "U/L", "1", "mU/mL"),
    ],
)
def test_the_same_amount_is_the_same_number(value: str, unit: str, same: str, other: str) -> None:
    one, another = canonical(unit), canonical(other)
    assert one is not None
    assert another is not None
    assert one.dimension == another.dimension
    assert one.of(Decimal(value)) == another.of(Decimal(same))


@pytest.mark.parametrize(
    "code",
    ["", "tablets", "mg//L", "mg/", "(mg", "mg)", "{", "m[", "[" * 5000, "(" * 90, "10*999", "m99",
     "0", "mg\0", "千克", "." * 99, "{a}{b}{c}"],
)  # fmt: skip
def test_what_is_no_unit_is_not_converted(code: str) -> None:
    assert canonical(code) is None


def test_substance_and_arbitrary_units_are_no_plain_numbers() -> None:
    dimensions = {canonical(code).dimension for code in ("mol", "[iU]", "1", "[arb'U]")}  # type: ignore[union-attr]
    assert len(dimensions) == 4
    assert not any(re.search("None", one) for one in dimensions)
