"""What a primitive may look like (R4 §2.24.0.1)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from serai.fhir.validation.primitives import TESTS

GOOD: dict[str, list[object]] = {
    "base64Binary": ["QQ==", "QUJD\nQUJD", "QUI="],
    "boolean": [True, False],
    "canonical": ["http://x.org/q|1.0", "#q"],
    "code": ["final", "two words", "≥"],
    "date": ["2024", "2024-02", "2024-02-29"],
    "dateTime": ["2024", "2024-02-29T23:59:60Z", "2024-01-01T00:00:00.5+14:00"],
    "decimal": [0, -1, Decimal("1.10"), Decimal("1E+3"), 0.5],
    "id": ["a", "A-1.b", "x" * 64],
    "instant": ["2024-02-29T12:00:00.123Z"],
    "integer": [0, -(2**31), 2**31 - 1],
    "markdown": ["# Title\n\ttext"],
    "oid": ["urn:oid:1.2.840.0"],
    "positiveInt": [1, 2**31 - 1],
    "string": ["a", " spaced ", "多行\r\n文字", "👩‍⚕️"],
    "time": ["23:59:00", "00:00:00.001"],
    "unsignedInt": [0],
    "uri": ["urn:uuid:x", "http://x", "a"],
    "url": ["mailto:a@b"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
}

BAD: dict[str, list[object]] = {
    "base64Binary": ["", "A", "QQ=", "Q Q =", "!!!!", 1],
    "boolean": ["true", 1, 0, None],
    "canonical": ["", "a b", 1],
    "code": ["", " a", "a ", "a  b", 1],
    "date": ["", "24", "2023-02-29", "2024-13", "2024-1-1", "2024-02-29T00:00:00Z", "0000", 2024],
    "dateTime": ["2024-01-01T10:00", "2024-01-01T10:00:00", "2024-01-01T24:00:00Z",
                 "2024-01-01T10:00:00+15:00", "2024-04-31T10:00:00Z", "2024-01-01 10:00:00Z"],
    "decimal": ["1.0", True, Decimal("NaN"), Decimal("Infinity"), float("inf"), None],
    "id": ["", "a/b", "x" * 65, "ä", "a_b", "a\n"],
    "instant": ["2024-02-29", "2024-02-29T12:00:00"],
    "integer": [True, 1.0, Decimal(1), "1", 2**31, -(2**31) - 1],
    "markdown": ["", 1],
    "oid": ["1.2.3", "urn:oid:3.1", "urn:oid:1.01"],
    "positiveInt": [0, -1, 2**31],
    "string": ["", "nul\x00", "bell\x07", "half \ud800", "x" * (1024 * 1024 + 1), 1, []],
    "time": ["24:00:00", "12:00", "12:00:00Z"],
    "unsignedInt": [-1],
    "uri": ["", "a b", "a\tb"],
    "url": ["", " "],
    "uuid": ["c757873d-ec9a-4326-a141-556f43239520",
             "urn:uuid:C757873D-EC9A-4326-A141-556F43239520"],
}  # fmt: skip


def test_every_primitive_type_is_tried() -> None:
    assert GOOD.keys() == BAD.keys() == TESTS.keys()


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in GOOD.items() for v in values])
def test_a_well_formed_value_is_accepted(kind: str, value: object) -> None:
    assert TESTS[kind](value)


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in BAD.items() for v in values])
def test_a_malformed_value_is_refused(kind: str, value: object) -> None:
    assert not TESTS[kind](value)
