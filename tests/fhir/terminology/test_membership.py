"""Which codes belong to which value set, and where nobody can know."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fhir.terminology.vocabulary import ILLNESSES, ILLS, filtered, keep, value_set

from serai.fhir.store import FhirStore
from serai.fhir.terminology.concepts import ancestors, descendants, expansion_codes
from serai.fhir.terminology.membership import members
from serai.kernel.errors import TooLarge
from serai.platform.db import Database

VS = "http://example.org/vs"
RULES: dict[str, tuple[Any, str]] = {
    "the whole system": ({"system": ILLS}, "diabetes dropsy meniere t1 t2 t2k"),
    "is-a": (filtered("is-a", "t2"), "t2 t2k"),
    "descendent-of": (filtered("descendent-of", "diabetes"), "t1 t2 t2k"),
    "is-not-a": (filtered("is-not-a", "diabetes"), "dropsy meniere"),
    "generalizes": (filtered("generalizes", "t2k"), "diabetes t2 t2k"),
    "in": (filtered("in", "t1,t2"), "t1 t2"),
    "not-in": (filtered("not-in", "t1,t2"), "diabetes dropsy meniere t2k"),
    "= of a property": (filtered("=", "ear", "organ"), "meniere"),
    "= of a boolean": (filtered("=", "true", "chronic"), "t2"),
    "parent": (filtered("=", "diabetes", "parent"), "t1 t2"),
    "child": (filtered("=", "t2k", "child"), "t2"),
    "exists": (filtered("exists", "true", "organ"), "meniere"),
    "regex matches the whole code": (filtered("regex", "t[0-9]", "code"), "t1 t2"),
    "an enumeration": ({"system": ILLS, "concept": [{"code": "t1"}]}, "t1"),
}


@pytest.mark.parametrize("name", RULES)
async def test_a_rule_holds_exactly_these_codes(name: str, db: Database, store: FhirStore) -> None:
    rule, codes = RULES[name]
    await keep(db, store, ILLNESSES, value_set(VS, rule))
    everything = ["diabetes", "dropsy", "meniere", "t1", "t2", "t2k", "nothing"]
    async with db.connection() as connection:
        found = await members(connection, [(VS, ILLS, code) for code in everything])
        assert [code for code, is_in in zip(everything, found, strict=True) if is_in] == (
            codes.split()
        )
        assert None not in found
        listed = await expansion_codes(connection, VS, most=10)
    assert sorted(listed) == [(ILLS, code) for code in codes.split()]


async def test_many_questions_are_answered_at_once(db: Database, store: FhirStore) -> None:
    other = "http://example.org/other"
    await keep(
        db,
        store,
        ILLNESSES,
        value_set(VS, {"system": "http://unknown.org"}, filtered("is-a", "t2")),
        value_set(other, {"valueSet": [VS]}, exclude=[filtered("=", "t2k")]),
    )
    asked: dict[tuple[str, str | None, str], bool | None] = {
        (VS, ILLS, "t2k"): True,
        (VS, None, "t2k"): True,
        (VS, ILLS, "t1"): False,
        (VS, None, "t1"): None,
        (VS, "http://unknown.org", "x"): None,
        (VS, "http://third.org", "t2"): False,
        (other, ILLS, "t2"): True,
        (other, ILLS, "t2k"): False,
        ("http://example.org/nowhere", ILLS, "t2"): None,
        (f"{ILLS}/all", ILLS, "meniere"): True,
        (f"{ILLS}/all|1", ILLS, "cold"): False,
        ("http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1",
         "http://hl7.org/fhir/administrative-gender", "female"): True,
        ("http://hl7.org/fhir/ValueSet/administrative-gender", None, "f"): False,
    }  # fmt: skip
    async with db.connection() as connection:
        found = await members(connection, list(asked))
    assert dict(zip(asked, found, strict=True)) == asked


async def test_codes_above_and_below(db: Database, store: FhirStore) -> None:
    await keep(db, store, ILLNESSES)
    async with db.connection() as connection:
        assert await descendants(connection, ILLS, "diabetes", most=3) == ["t1", "t2", "t2k"]
        assert await ancestors(connection, ILLS, "t2k", most=3) == ["diabetes", "t2"]
        assert await ancestors(connection, ILLS, "unheard-of", most=3) == []
        with pytest.raises(TooLarge):
            await descendants(connection, ILLS, "diabetes", most=2)
