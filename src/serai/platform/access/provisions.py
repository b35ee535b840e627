"""Consent.provision read as refusals (FHIR R4 §6.2, Consent).

A provision is a rule about what matches it; those nested in it are exceptions to it, and
alternate. So a record is refused exactly when some `deny` matches and none of the exceptions
directly below it does. A provision matches only where all those around it match.

What a provision says that this server cannot judge (`code`, `dataPeriod`, unknown classes) never
lets anybody see more: a refusal then covers everything, an exception nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

RESOURCE_TYPES: Final = "http://hl7.org/fhir/resource-types"
_UNJUDGED: Final = ("code", "dataPeriod")
_OPEN: Final = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))

Coding = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a provision. `anybody` says that a rule without an actor is also meant
    for who asks."""

    names: frozenset[str]
    anybody: bool
    type: str
    id: str
    labels: frozenset[Coding]
    actions: frozenset[str]
    purpose: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Provision:
    """One rule with all that is around it; None where it says nothing and so matches all.
    `since` and `until` are the period, until not included."""

    since: datetime = _OPEN[0]
    until: datetime = _OPEN[1]
    actors: frozenset[str] | None = None
    types: frozenset[str] | None = None
    data: frozenset[str] | None = None
    labels: tuple[frozenset[Coding], ...] = ()
    actions: tuple[frozenset[str], ...] = ()
    purposes: frozenset[str] | None = None
    exceptions: tuple[Provision, ...] = ()

    def refuses(self, question: Question) -> bool:
        """As a `deny`: whether it matches and nothing excepts."""
        return self.matches(question) and not any(one.matches(question) for one in self.exceptions)

    def matches(self, question: Question) -> bool:
        return (
            self.since <= question.now < self.until
            and self._meant_for(question)
            and _says(self.types, question.type)
            and _says(self.data, f"{question.type}/{question.id}")
            and _says(self.purposes, question.purpose)
            and all(group & question.labels for group in self.labels)
            and all(group & question.actions for group in self.actions)
        )

    def _meant_for(self, question: Question) -> bool:
        if self.actors is None:
            return question.anybody
        return bool(self.actors & question.names)


def denials(consent: Mapping[str, Any]) -> tuple[Provision, ...]:
    """The refusals of a Consent in force; none of one that is not active."""
    if consent.get("status") != "active" or "provision" not in consent:
        return ()
    return tuple(_refusals(consent["provision"], Provision(), "permit"))


def patient_of(consent: Mapping[str, Any]) -> str | None:
    """The logical id of the patient here, None when it is somebody else's."""
    kind, _, id = consent.get("patient", {}).get("reference", "").rpartition("/")
    return id if kind.rpartition("/")[2] == "Patient" and id else None


def _refusals(provision: Mapping[str, Any], around: Provision, missing: str) -> Iterator[Provision]:
    """`missing` is what it is when it does not say: nested ones alternate."""
    kind = provision.get("type", missing)
    rule = _narrowed(around, provision)
    nested = provision.get("provision", ())
    other = "permit" if kind == "deny" else "deny"
    if kind == "deny":
        excepted = (one for one in nested if one.get("type", other) == "permit")
        judged = (one for one in excepted if _is_judged(one))
        exceptions = tuple(_narrowed(rule, one) for one in judged)
        yield _with_exceptions(rule, exceptions)
    for one in nested:
        yield from _refusals(one, rule, other)


def _narrowed(around: Provision, provision: Mapping[str, Any]) -> Provision:
    since, until = _period(provision.get("period", {}))
    return Provision(
        since=max(since, around.since),
        until=min(until, around.until),
        actors=_both(around.actors, _actors(provision)),
        types=_both(around.types, _types(provision)),
        data=_both(around.data, _references(provision.get("data", ()))),
        labels=_added(around.labels, _codings(provision.get("securityLabel", ()))),
        actions=_added(around.actions, _actions(provision)),
        purposes=_both(around.purposes, _codes(provision.get("purpose", ()))),
    )


def _with_exceptions(rule: Provision, exceptions: tuple[Provision, ...]) -> Provision:
    return Provision(
        rule.since, rule.until, rule.actors, rule.types, rule.data, rule.labels, rule.actions,
        rule.purposes, exceptions,
    )  # fmt: skip


def _is_judged(provision: Mapping[str, Any]) -> bool:
    if any(name in provision for name in _UNJUDGED):
        return False
    return all(one.get("system") == RESOURCE_TYPES for one in provision.get("class", ()))


def _types(provision: Mapping[str, Any]) -> frozenset[str] | None:
    classes = provision.get("class", ())
    if not all(one.get("system") == RESOURCE_TYPES for one in classes):
        return None
    return _codes(classes)


def _actors(provision: Mapping[str, Any]) -> frozenset[str] | None:
    return _references(provision.get("actor", ()))


def _references(holders: Iterable[Mapping[str, Any]]) -> frozenset[str] | None:
    found = frozenset(
        "/".join(one.get("reference", {}).get("reference", "").rsplit("/", 2)[-2:])
        for one in holders
    )
    return found or None


def _actions(provision: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(
        coding.get("code", "")
        for concept in provision.get("action", ())
        for coding in concept.get("coding", ())
    )


def _codings(codings: Iterable[Mapping[str, Any]]) -> frozenset[Coding]:
    return frozenset((one.get("system", ""), one.get("code", "")) for one in codings)


def _codes(codings: Iterable[Mapping[str, Any]]) -> frozenset[str] | None:
    return frozenset(one.get("code", "") for one in codings) or None


def _period(period: Mapping[str, str]) -> tuple[datetime, datetime]:
    since, until = _OPEN
    if "start" in period:
        since, _ = _moments(period["start"])
    if "end" in period:
        _, until = _moments(period["end"])
    return since, until


def _moments(text: str) -> tuple[datetime, datetime]:
    """A FHIR dateTime, partial or whole, as [from, to)."""
    if "T" in text:
        at = datetime.fromisoformat(text)
        return at, at + timedelta(seconds=1)
    year, month, day = (*map(int, text.split("-")), 0, 0)[:3]
    since = datetime(year, month or 1, day or 1, tzinfo=UTC)
    if day:
        return since, since + timedelta(days=1)
    if month:
        return since, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return since, datetime(min(year + 1, 9999), 1, 1, tzinfo=UTC)


def _says(group: frozenset[str] | None, word: str) -> bool:
    return group is None or word in group


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _added(groups: tuple[frozenset[Any], ...], group: frozenset[Any]) -> tuple[Any, ...]:
    return (*groups, group) if group else groups
