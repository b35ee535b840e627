"""May this actor do this to this record now: no database, no clock, one answer with its reason.

What the store asks in SQL (`fhir/visibility.py`) is this function; a property test holds the two
together.
"""

from __future__ import annotations

from serai.platform.access.facts import Act, Asker, Context, Decision, Relation, Subject
from serai.platform.access.policy import ACTIONS, ACTS, UNNAMED_REFUSALS_BIND, closed_labels
from serai.platform.access.provisions import Question


def decide(asker: Asker, act: Act, subject: Subject, context: Context) -> Decision:
    """Everything that refuses is asked before anything may permit."""
    if act is Act.ERASE and context.held:
        return Decision(permit=False, reason="legal-hold")
    relation = relation_of(asker, subject, context)
    if act not in ACTS[relation]:
        return Decision(permit=False, reason="no-relation")
    if relation is not Relation.WHOLE:
        if subject.labels & closed_labels(asker.role):
            return Decision(permit=False, reason="restricted-label")
        if _refused(asker, act, subject, context, relation):
            return Decision(permit=False, reason="consent")
    return Decision(permit=True, reason=relation.value)


def relation_of(asker: Asker, subject: Subject, context: Context) -> Relation:
    """The closest one that holds."""
    if asker.system_wide:
        return Relation.WHOLE
    if asker.organisation is None:
        return Relation.NONE
    if subject.patients and subject.custodians == {asker.organisation}:
        return Relation.CUSTODIAN
    if subject.author == asker.organisation:
        return Relation.AUTHOR
    if context.reasons:
        return Relation.SHARED
    return Relation.DIRECTORY if subject.directory else Relation.NONE


def _refused(
    asker: Asker, act: Act, subject: Subject, context: Context, relation: Relation
) -> bool:
    """Whoever keeps or wrote a Consent always sees it, or nobody could withdraw it."""
    if subject.type == "Consent" and relation not in UNNAMED_REFUSALS_BIND:
        return False
    question = Question(
        names=_names(asker),
        anybody=relation in UNNAMED_REFUSALS_BIND,
        type=subject.type,
        id=subject.id,
        labels=subject.labels,
        actions=ACTIONS[act],
        purpose=context.purpose,
        now=context.now,
    )
    return any(
        provision.refuses(question)
        for patient, provision in context.provisions
        if patient in subject.patients
    )


def _names(asker: Asker) -> frozenset[str]:
    names = {f"Organization/{asker.organisation}"}
    if asker.practitioner:
        names.add(f"Practitioner/{asker.practitioner}")
    return frozenset(names)
