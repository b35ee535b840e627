"""The policy table, cell by cell, and what must hold whatever the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serai.platform.access import Act, Asker, Context, Provision, Relation, Subject, decide, denials
from serai.platform.access.policy import ACTS, RESTRICTED
from serai.platform.auth.roles import ROLES

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
OWN, OTHER = "county", "lead"
LABELS = sorted(RESTRICTED)
TYPES = ("Observation", "Condition", "Consent")


def standing(relation: Relation, role: str) -> tuple[Asker, Subject, Context]:
    """Somebody in that role whose closest relation to a record is this one."""
    asker = Asker(role, OWN, system_wide=relation is Relation.WHOLE)
    subject = Subject("Observation", "o", OTHER, frozenset({"p"}), frozenset({OTHER}))
    now = Context(NOON)
    match relation:
        case Relation.CUSTODIAN:
            subject = replace(subject, custodians=frozenset({OWN}))
        case Relation.AUTHOR:
            subject = replace(subject, author=OWN)
        case Relation.SHARED:
            now = replace(now, reasons=frozenset({"Task/7"}))
        case Relation.DIRECTORY:
            subject = replace(subject, directory=True)
    return asker, subject, now


@pytest.mark.parametrize(("role", "act", "relation"), list(product(ROLES, Act, Relation)))
def test_every_cell_of_the_table(role: str, act: Act, relation: Relation) -> None:
    asker, subject, now = standing(relation, role)
    answer = decide(asker, act, subject, now)
    assert answer.permit is (act in ACTS[relation])
    assert answer.reason == (relation.value if answer.permit else "no-relation")


@pytest.mark.parametrize(("role", "label"), list(product(ROLES, LABELS)))
def test_a_restricted_label_opens_to_the_named_roles_alone(
    role: str, label: tuple[str, str]
) -> None:
    asker, subject, now = standing(Relation.CUSTODIAN, role)
    answer = decide(asker, Act.READ, replace(subject, labels=frozenset({label})), now)
    assert answer.permit is (role in RESTRICTED[label])


def test_nothing_under_a_legal_hold_is_erased() -> None:
    asker, subject, now = standing(Relation.WHOLE, "system")
    assert decide(asker, Act.ERASE, subject, replace(now, held=True)).reason == "legal-hold"
    assert decide(asker, Act.READ, subject, replace(now, held=True)).permit


# Generated askers, records and refusals.

GROUPS = st.none() | st.frozensets(st.sampled_from(TYPES), min_size=1)
PROVISIONS = st.builds(
    Provision,
    actors=st.none() | st.just(frozenset({f"Organization/{OWN}"})),
    types=GROUPS,
    labels=st.lists(st.frozensets(st.sampled_from(LABELS), min_size=1), max_size=2).map(tuple),
    purposes=st.none() | st.frozensets(st.sampled_from(["TREAT", "HRESCH"]), min_size=1),
)
SUBJECTS = st.builds(
    Subject,
    type=st.sampled_from(TYPES),
    id=st.just("o"),
    author=st.sampled_from([OWN, OTHER, None]),
    patients=st.sampled_from([frozenset(), frozenset({"p"})]),
    custodians=st.sampled_from([frozenset({OWN}), frozenset({OTHER}), frozenset({None})]),
    labels=st.frozensets(st.sampled_from(LABELS), max_size=2),
    directory=st.booleans(),
)
ASKERS = st.builds(Asker, st.sampled_from(ROLES), st.sampled_from([OWN, OTHER, None]))
CONTEXTS = st.builds(
    Context,
    now=st.just(NOON),
    reasons=st.frozensets(st.sampled_from(["Task/7", "Task/8"])),
    provisions=st.lists(PROVISIONS.map(lambda one: ("p", one)), max_size=3).map(tuple),
    held=st.booleans(),
)


@given(ASKERS, st.sampled_from(Act), SUBJECTS, CONTEXTS, PROVISIONS)
@settings(max_examples=400, deadline=None)
def test_one_more_refusal_never_permits_more(
    asker: Asker, act: Act, subject: Subject, context: Context, refusal: Provision
) -> None:
    more = replace(context, provisions=(*context.provisions, ("p", refusal)))
    if not decide(asker, act, subject, context).permit:
        assert not decide(asker, act, subject, more).permit


@given(ASKERS, st.sampled_from(Act), SUBJECTS, CONTEXTS)
@settings(max_examples=400, deadline=None)
def test_closing_a_reason_never_permits_more(
    asker: Asker, act: Act, subject: Subject, context: Context
) -> None:
    if not decide(asker, act, subject, context).permit:
        for fewer in (frozenset(sorted(context.reasons)[:1]), frozenset[str]()):
            assert not decide(asker, act, subject, replace(context, reasons=fewer)).permit


def consent(**provision: object) -> dict[str, object]:
    return {"resourceType": "Consent", "status": "active", "provision": provision}


def refused(written: dict[str, object], type: str = "Observation") -> bool:
    asker, subject, now = standing(Relation.SHARED, "doctor")
    now = replace(now, provisions=tuple(("p", one) for one in denials(written)))
    return not decide(asker, Act.READ, replace(subject, type=type), now).permit


def test_nested_provisions_are_exceptions_and_alternate() -> None:
    kind = {"system": "http://hl7.org/fhir/resource-types"}
    inner = {"type": "deny", "data": [{"meaning": "instance", "reference": {
        "reference": "Observation/o"}}]}  # fmt: skip
    permit = {"type": "permit", "class": [{**kind, "code": "Observation"}]}
    assert refused(consent(type="deny"))
    assert not refused(consent(type="deny", provision=[permit]))
    assert refused(consent(type="deny", provision=[permit]), "Condition")
    assert refused(consent(type="deny", provision=[{**permit, "provision": [inner]}]))


def test_what_cannot_be_judged_never_opens_anything() -> None:
    unjudged = {"type": "permit", "code": [{"text": "the cough"}]}
    assert refused(consent(type="deny", provision=[unjudged]))
    assert refused(consent(type="deny", code=[{"text": "the cough"}]))


@pytest.mark.parametrize(
    ("period", "in_force"),
    [
        ({"end": "2026-11-24"}, False),
        ({"end": "2026-11-25"}, True),
        ({"end": "2026-11"}, True),
        ({"start": "2026-12"}, False),
        ({"start": "2026-11-25T12:00:00Z"}, True),
        ({"start": "2026-11-25T12:00:01Z"}, False),
    ],
)
def test_a_refusal_holds_in_its_period(period: dict[str, str], in_force: bool) -> None:
    assert refused(consent(type="deny", period=period)) is in_force


def test_a_withdrawn_consent_refuses_nothing() -> None:
    assert not refused({**consent(type="deny"), "status": "inactive"})
