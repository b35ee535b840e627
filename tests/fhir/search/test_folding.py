"""Names are found however they were typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.fhir.search.folding import fold


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Müller", "muller"),
        ("ĐẶNG  Văn Lâm", "dang van lam"),
        ("Straße", "strasse"),
        ("  O'Brien ", "o'brien"),
        ("Çelik İlker", "celik ilker"),
        ("青山 县", "青山 县"),
        ("ＡＢＣ", "abc"),
        ("がぎ", "がぎ"),
        ("한글", "한글"),
        ("ប៉ោយប៉ែត", "ប៉ោយប៉ែត"),
        ("สมชาย ใจดี", "สมชาย ใจดี"),
        ("Ёлкин", "елкин"),
        ("", ""),
    ],
)
def test_a_name_is_compared_without_case_and_accents(written: str, folded: str) -> None:
    assert fold(written) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
