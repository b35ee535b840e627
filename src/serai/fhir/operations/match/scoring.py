"""How likely two Patients are one person, after Fellegi and Sunter (1969).

Each field compared gives log2(m/u): m is how often two records of one person agree to that
degree, u how often those of two people do. The weights of all fields are added; a field that one
side lacks says nothing. Figures here are estimates from general experience, not from a trained
set: u of a birth date is about 1/25,000 days in use, of a sex 1/2, of a family name some 1/100
(names are far from equally frequent), of a phone 1/3,000 because families share one.
"""

from __future__ import annotations

import math
from datetime import date
from typing import Any, Final

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from serai.fhir.body import Data
from serai.fhir.operations.match.consonants import consonants, is_written_so
from serai.fhir.search.romanised import people, romanised

WEIGHTS: Final[dict[tuple[str, str], float]] = {
    ("identifier", "same"): 18.0,
    ("identifier", "other"): -6.0,
    ("birthDate", "same"): 13.0,
    ("birthDate", "swapped"): 8.0,
    ("birthDate", "typo"): 5.0,
    ("birthDate", "other"): -8.0,
    ("name", "same"): 9.0,
    ("name", "swapped"): 8.0,
    ("name", "close"): 6.0,
    ("name", "partly"): 2.0,
    ("name", "other"): -8.0,
    ("gender", "same"): 1.0,
    ("gender", "other"): -5.0,
    ("phone", "same"): 8.0,
    ("phone", "other"): -0.5,
    ("address", "same"): 3.0,
    ("address", "other"): -0.5,
}
CLOSE: Final = 0.92
PARTLY: Final = 0.85
ALIKE: Final = 0.85
# Above each bound a grade of http://terminology.hl7.org/CodeSystem/match-grade.
GRADES: Final = ((20.0, "certain"), (12.0, "probable"), (5.0, "possible"))
PHONE_DIGITS: Final = 8


def score(one: Data, other: Data) -> float:
    """The sum of the weights, in bits."""
    compared: dict[str, str | None] = {
        "identifier": _sets(identifiers(one), identifiers(other)),
        "birthDate": birth_dates(one.get("birthDate"), other.get("birthDate")),
        "name": names(one, other),
        "gender": _plain(one.get("gender"), other.get("gender")),
        "phone": _sets(phones(one), phones(other)),
        "address": addresses(places(one), places(other)),
    }
    return math.fsum([WEIGHTS[field, how] for field, how in compared.items() if how is not None])


def grade(bits: float, one: Data, other: Data) -> str:
    """A certain match also needs a name or an identifier that agrees."""
    found = next((name for bound, name in GRADES if bits >= bound), "certainly-not")
    contradicted = names(one, other) == "other" or birth_dates(
        one.get("birthDate"), other.get("birthDate")
    ) in ("other", "typo")
    return "probable" if found == "certain" and contradicted else found


def probability(bits: float) -> float:
    """Between 0 and 1; at 12 bits, where a match is probable, a half."""
    return round(1 / (1 + math.exp2(min(max(12.0 - bits, -40.0), 40.0))), 4)


def identifiers(patient: Data) -> set[str]:
    return {
        f"{one.get('system', '')}|{one['value']}"
        for one in patient.get("identifier") or ()
        if one.get("value")
    }


def phones(patient: Data) -> set[str]:
    """The last digits, so that country and trunk prefixes do not matter."""
    found = (
        "".join(sign for sign in str(one.get("value", "")) if sign.isdigit())
        for one in patient.get("telecom") or ()
        if one.get("system") in ("phone", "sms", None)
    )
    return {digits[-PHONE_DIGITS:] for digits in found if len(digits) >= PHONE_DIGITS}


def places(patient: Data) -> set[str]:
    found = (
        romanised(f"{one.get('city') or ''} {' '.join(one.get('line') or ())}")
        for one in patient.get("address") or ()
    )
    return {place for place in found if place}


def addresses(one: set[str], other: set[str]) -> str | None:
    """A slip of the pen is no other address."""
    if not one or not other:
        return None
    alike = (DamerauLevenshtein.normalized_similarity(a, b) for a in one for b in other)
    return "same" if max(alike) >= ALIKE else "other"


def birth_dates(one: Any, other: Any) -> str | None:
    """``typo`` is one digit, or two neighbours changed over."""
    if not one or not other:
        return None
    shorter = min(len(one), len(other))
    if shorter < len("2000-01"):
        return None if one[:4] == other[:4] else "other"
    if one[:shorter] == other[:shorter]:
        return "same" if shorter == len("2000-01-01") else "typo"
    if swapped(one) == other:
        return "swapped"
    return "typo" if DamerauLevenshtein.distance(one, other) == 1 else "other"


def swapped(text: str) -> str | None:
    """Day and month changed over, where that is a date."""
    try:
        read = date.fromisoformat(text)
        return read.replace(month=read.day, day=read.month).isoformat()
    except ValueError:
        return None


def names(one: Data, other: Data) -> str | None:
    """The best agreement of any name with any."""
    mine, theirs = people(one), people(other)
    if not mine or not theirs:
        return None
    order = ("same", "swapped", "close", "partly", "other")
    best = min((_names(a, b) for a in mine for b in theirs), key=order.index)
    if best == "other" and is_written_so(one) != is_written_so(other):
        alike = any(_sound_alike(a, b) for a in mine for b in theirs)
        return "partly" if alike else "other"
    return best


def _sound_alike(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Both parts, in their places: the rows are short, and one alone would say little."""
    pairs = [(consonants(a), consonants(b)) for a, b in zip(one, other, strict=True)]
    return any(a for a, _ in pairs) and all(JaroWinkler.similarity(a, b) >= CLOSE for a, b in pairs)


def _names(one: tuple[str, str], other: tuple[str, str]) -> str:
    if one == other:
        return "same"
    if one == other[::-1] or "".join(one) in ("".join(other), "".join(other[::-1])):
        return "swapped"
    if [bool(part) for part in one] != [bool(part) for part in other]:
        return _of_parts(one, other)
    straight = min(JaroWinkler.similarity(a, b) for a, b in zip(one, other, strict=True))
    crossed = min(JaroWinkler.similarity(a, b) for a, b in zip(one, other[::-1], strict=True))
    best = max(straight, crossed)
    if best >= CLOSE:
        return "close"
    same_family = bool(one[0]) and one[0] == other[0]
    return "partly" if best >= PARTLY or same_family else "other"


def _of_parts(one: tuple[str, str], other: tuple[str, str]) -> str:
    """A part that one side lacks says nothing; the one that both have says little."""
    pairs = ((a, b) for a in one for b in other if a and b)
    return "partly" if any(JaroWinkler.similarity(*pair) >= CLOSE for pair in pairs) else "other"


def _plain(one: Any, other: Any) -> str | None:
    if not one or not other or "unknown" in (one, other):
        return None
    return "same" if one == other else "other"


def _sets(one: set[str], other: set[str]) -> str | None:
    if not one or not other:
        return None
    return "other" if one.isdisjoint(other) else "same"
