"""SMART v2 scopes: what is one, what is not, and what the roles' table grants."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.kernel.actor import INTERACTIONS, Actor, Kind
from serai.kernel.errors import Invalid, Malformed
from serai.platform.auth.roles import GROUPS, ROLES, TABLE, scopes_of
from serai.platform.auth.scopes import as_text, modern, parse_scope, parse_scopes

LETTERS = ["".join(chosen) for size in range(1, 6) for chosen in combinations(INTERACTIONS, size)]
scopes = st.builds(
    "{}/{}.{}".format,
    st.sampled_from(["patient", "user", "system"]),
    st.sampled_from(["*", "Patient", "Observation", "ImagingStudy"]),
    st.sampled_from(LETTERS),
)


@given(scopes)
def test_every_scope_reads_back_as_it_was_written(text: str) -> None:
    assert str(parse_scope(text)) == text


@given(st.lists(scopes, min_size=1), st.sampled_from(INTERACTIONS))
def test_a_token_may_exactly_what_one_of_its_scopes_says(texts: list[str], act: str) -> None:
    parsed = parse_scopes("  ".join(texts))
    actor = Actor("m", Kind.MACHINE, "m", "system", scopes=as_text(parsed))
    allowed = any(s.resource_type in ("*", "Patient") and act in s.interactions for s in parsed)
    assert actor.may(act, "Patient") is allowed


@given(scopes, st.text(alphabet="cruds*/. ?\n", min_size=1, max_size=3))
def test_letters_out_of_order_or_behind_are_no_scope(text: str, extra: str) -> None:
    letters = text.rpartition(".")[2] + extra
    if letters in LETTERS:
        assert str(parse_scope(text + extra)) == text + extra
    else:
        with pytest.raises(Malformed):
            parse_scope(text + extra)


@pytest.mark.parametrize(
    "text",
    [
        "", "system", "system/", "system/*", "system/*.", "system/*.*", "system/*.read",
        "system/Patient.srduc", "system/Patient.rr", "system/patient.r", "systems/*.r",
        "system/*.r\n", "system/*.r?category=lab", "SYSTEM/*.r", "system/Pa*.r", "openid",
        "system/Paţient.r", "system/*.cruds/x", "x system/*.r",
    ],
)  # fmt: skip
def test_nonsense_is_refused_as_one_scope(text: str) -> None:
    with pytest.raises(Malformed):
        parse_scope(text)


def test_scopes_of_version_1_are_translated() -> None:
    old = ["patient/*.read", "user/Patient.write", "system/Observation.*", "patient/Patient.rs"]
    new = ["patient/*.rs", "user/Patient.cud", "system/Observation.cruds", "patient/Patient.rs"]
    assert [modern(one) for one in old] == new


def test_a_scope_may_name_a_search_which_grants_no_letter() -> None:
    text = "patient/Observation.rs?category=http://example.org/cruds|vital-signs"
    assert str(parse_scope(text)) == text
    actor = Actor("m", Kind.MACHINE, "m", "system", scopes=frozenset({text}))
    assert [act for act in INTERACTIONS if actor.may(act, "Observation")] == ["r", "s"]


def test_no_scope_at_all_is_refused() -> None:
    with pytest.raises(Malformed):
        parse_scopes("  ")


def test_every_cell_of_the_role_table_is_a_scope() -> None:
    assert set(TABLE) == set(GROUPS)
    for role in ROLES:
        parse_scopes(" ".join(scopes_of(role)))


def test_a_resource_type_is_in_one_group() -> None:
    named = [resource_type for types in GROUPS.values() for resource_type in types]
    assert len(named) == len(set(named))


def test_administrators_see_no_patient_and_nobody_deletes() -> None:
    admin = Actor("a", Kind.STAFF, "a", "admin", scopes=scopes_of("admin"))
    for group in ("people", "record", "orders", "requests", "files"):
        for resource_type in GROUPS[group]:
            assert not any(admin.may(act, resource_type) for act in INTERACTIONS)
    for role in ROLES:
        assert not any("d" in scope.rpartition(".")[2] for scope in scopes_of(role))


def test_a_role_nobody_knows_has_no_scopes() -> None:
    with pytest.raises(Invalid):
        scopes_of("janitor")
