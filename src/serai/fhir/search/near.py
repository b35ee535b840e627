"""``near``: a place and a distance from it (R4 §8.7.1.2)."""

from __future__ import annotations

from collections.abc import Sequence

from serai.fhir.search.numbers import NUMBER
from serai.kernel.errors import Malformed

# What counts as near when no distance is given: a standard R4 leaves to the server.
NEAR_KM = 25.0

_KILOMETRES = {"km": 1.0, "m": 0.001, "[mi_i]": 1.609344, "mi": 1.609344, "[nmi_i]": 1.852}


def parse_place(param: str, parts: Sequence[str]) -> tuple[float, float, float]:
    """``latitude|longitude[|distance[|unit]]`` with the distance in kilometres."""
    if not 2 <= len(parts) <= 4:
        raise Malformed("search.near", parameter=param)
    latitude, longitude = (_number(param, part) for part in parts[:2])
    unit = parts[3] if len(parts) == 4 and parts[3] else "km"
    distance = _number(param, parts[2]) if len(parts) > 2 and parts[2] else None
    if abs(latitude) > 90 or abs(longitude) > 180 or unit not in _KILOMETRES:
        raise Malformed("search.near", parameter=param)
    if distance is None:
        return latitude, longitude, NEAR_KM
    if not 0 <= distance <= 1e9:
        raise Malformed("search.near", parameter=param)
    return latitude, longitude, distance * _KILOMETRES[unit]


def _number(param: str, text: str) -> float:
    if not NUMBER.fullmatch(text):
        raise Malformed("search.near", parameter=param)
    return float(text)
