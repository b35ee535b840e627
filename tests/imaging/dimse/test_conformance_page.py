"""docs/reference/dicom-conformance.md says what the code does."""

from __future__ import annotations

from tools.dicom_conformance import PAGE, page


def test_the_conformance_statement_is_made_from_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
