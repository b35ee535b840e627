"""FHIR's primitive types as tests of decoded JSON values (R4 §2.24.0.1)."""

from __future__ import annotations

import binascii
import math
import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

Test = Callable[[object], bool]

YEAR = "(?!0000)[0-9]{4}"
MONTH = "(?:0[1-9]|1[0-2])"
DAY = "(?:0[1-9]|[12][0-9]|3[01])"
CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
ZONE = "(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"

DATE = re.compile(f"{YEAR}(?:-{MONTH}(?:-{DAY})?)?")
DATE_TIME = re.compile(f"{YEAR}(?:-{MONTH}(?:-{DAY}(?:T{CLOCK}{ZONE})?)?)?")
INSTANT = re.compile(f"{YEAR}-{MONTH}-{DAY}T{CLOCK}{ZONE}")
TIME = re.compile(CLOCK)
# The standard's \s is XML's, which leaves out Unicode's other spaces.
CODE = re.compile(r"\S+(?:\s\S+)*", re.ASCII)
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
URI = re.compile(r"\S+", re.ASCII)
OID = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+")
UUID = re.compile("urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Control characters are forbidden by the standard, halves of surrogate pairs by Unicode; NUL is
# also what PostgreSQL refuses.
UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
LONGEST_STRING = 1024 * 1024
SPACE = re.compile(r"\s+")

LARGEST_INTEGER = 2**31 - 1
SMALLEST_INTEGER = -(2**31)


def is_boolean(value: object) -> bool:
    return value is True or value is False


def is_decimal(value: object) -> bool:
    if type(value) is Decimal:
        return value.is_finite()
    return type(value) is int or (type(value) is float and math.isfinite(value))


def is_string(value: object) -> bool:
    return (
        type(value) is str
        and value != ""
        and len(value) <= LONGEST_STRING
        and UNFIT.search(value) is None
    )


def is_base64(value: object) -> bool:
    if type(value) is not str or not value:
        return False
    try:
        binascii.a2b_base64(SPACE.sub("", value), strict_mode=True)
    except ValueError:
        return False
    return True


def integer_between(lowest: int, highest: int) -> Test:
    def test(value: object) -> bool:
        return type(value) is int and lowest <= value <= highest

    return test


def matching(pattern: re.Pattern[str]) -> Test:
    full = pattern.fullmatch

    def test(value: object) -> bool:
        return type(value) is str and full(value) is not None and UNFIT.search(value) is None

    return test


def dated(pattern: re.Pattern[str]) -> Test:
    """Like `matching`, and the day must exist: the pattern alone lets 30 February through."""
    full = pattern.fullmatch

    def test(value: object) -> bool:
        if type(value) is not str or full(value) is None:
            return False
        day = value[8:10]
        return day <= "28" or int(day) <= monthrange(int(value[:4]), int(value[5:7]))[1]

    return test


TESTS: Final[Mapping[str, Test]] = {
    "base64Binary": is_base64,
    "boolean": is_boolean,
    "canonical": matching(URI),
    "code": matching(CODE),
    "date": dated(DATE),
    "dateTime": dated(DATE_TIME),
    "decimal": is_decimal,
    "id": matching(ID),
    "instant": dated(INSTANT),
    "integer": integer_between(SMALLEST_INTEGER, LARGEST_INTEGER),
    "markdown": is_string,
    "oid": matching(OID),
    "positiveInt": integer_between(1, LARGEST_INTEGER),
    "string": is_string,
    "time": matching(TIME),
    "unsignedInt": integer_between(0, LARGEST_INTEGER),
    "uri": matching(URI),
    "url": matching(URI),
    "uuid": matching(UUID),
}
