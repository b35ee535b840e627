"""docs/reference/fhir.md says what the code does."""

from __future__ import annotations

from tools.fhir_reference import PAGE, page

from serai.fhir.interaction.table import TABLE
from serai.fhir.operations.catalogue import OPERATIONS


def test_the_page_is_the_one_the_code_makes_now() -> None:
    assert PAGE.read_text() == page(), "make docs"


def test_it_names_every_interaction_and_operation() -> None:
    text = page()
    for one in TABLE.values():
        assert one.code is None or f"| {one.code} |" in text
    for operation in OPERATIONS:
        assert f"`${operation.name}`" in text
