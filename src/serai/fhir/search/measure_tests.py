"""Numbers, quantities and distances as SQL tests of an index row called v."""

from __future__ import annotations

from serai.fhir.search.binding import Parameters
from serai.fhir.search.numbers import NumberRange
from serai.fhir.search.quantities import QuantityRange

# By prefix (R4 §3.1.1.4.6): eq, ne and ap look at the range of the digits written, the others at
# the exact number. `low <> high` says again what a partial index over the few ranges holds.
_TESTS = {
    "eq": "{low} >= {qlow} AND {low} < {qhigh} AND {high} < {qhigh}",
    "ne": "NOT ({low} >= {qlow} AND {low} < {qhigh} AND {high} < {qhigh})",
    "gt": "({low} > {q} OR (v.low <> v.high AND {high} > {q}))",
    "ge": "({low} >= {q} OR (v.low <> v.high AND {high} >= {q}))",
    "lt": "{low} < {q}",
    "le": "{low} <= {q}",
    "sa": "{low} > {q}",
    "eb": "{low} < {q} AND {high} < {q}",
    "ap": "{low} < {qhigh} AND ({low} >= {qlow} OR (v.low <> v.high AND {high} >= {qlow}))",
}

_WRITTEN = ("v.low", "v.high")
_MEASURED = ("v.measured_low", "v.measured_high")

_EARTH_RADIUS_KM = 6371.0088
_KM_PER_DEGREE = 111.0

# The haversine formula; the band of latitudes is there for the index.
_NEAR = """v.latitude BETWEEN {south} AND {north} AND {diameter} * asin(sqrt(least(1.0,
    sind((v.latitude - {latitude}) / 2) ^ 2
    + cosd({latitude}) * cosd(v.latitude) * sind((v.longitude - {longitude}) / 2) ^ 2
    ))) <= {distance}"""


def in_quantity(asked: QuantityRange, bound: Parameters) -> str:
    """As measured in any comparable unit, or with the unit as it was written."""
    tests: list[str] = []
    if asked.measure is not None and asked.in_measure is not None:
        within = _within(_MEASURED, asked.in_measure, bound)
        tests.append(f"v.measure = {bound.bind(asked.measure)} AND {within}")
    if asked.unit is not None:
        unit = bound.bind(asked.unit)
        within = _within(_WRITTEN, asked.range, bound)
        tests.append(f"(v.code = {unit} OR v.unit = {unit}) AND {within}")
    if not tests:
        return _within(_WRITTEN, asked.range, bound)
    return " OR ".join(f"({test})" for test in tests)


def in_numbers(first: NumberRange, second: NumberRange, bound: Parameters) -> str:
    """Two numbers of the same element."""
    return f"{_within(_WRITTEN, first, bound)} AND {_within(_MEASURED, second, bound)}"


def is_near(place: tuple[float, float, float], bound: Parameters) -> str:
    latitude, longitude, distance = place
    band = distance / _KM_PER_DEGREE
    names = {
        "south": latitude - band,
        "north": latitude + band,
        "latitude": latitude,
        "longitude": longitude,
        "distance": distance,
        "diameter": 2 * _EARTH_RADIUS_KM,
    }
    return _NEAR.format(**{name: f"{bound.bind(value)}::float8" for name, value in names.items()})


def _within(columns: tuple[str, str], asked: NumberRange, bound: Parameters) -> str:
    low, high = columns
    template = _TESTS[asked.prefix]
    values = {"q": asked.value, "qlow": asked.low, "qhigh": asked.high}
    used = {name: value for name, value in values.items() if "{" + name + "}" in template}
    named = {name: f"{bound.bind(value)}::numeric" for name, value in used.items()}
    return template.format(low=low, high=high, **named)
