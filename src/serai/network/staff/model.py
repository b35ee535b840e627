"""A register of staff against the accounts that are: what has to change. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    JOIN = "join"
    MOVE = "move"
    LEAVE = "leave"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Person:
    """One of the staff, as a register says or as an account has it."""

    login: str
    name: str
    role: str
    organisation: str
    email: str | None = None
    feed_id: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """`before` is None for somebody new; `facts` are the elements that differ."""

    step: Step
    before: Person | None
    after: Person
    facts: tuple[str, ...] = ()


FACTS = ("name", "role", "organisation", "email", "feed_id")


def differing(before: Person, after: Person) -> tuple[str, ...]:
    return tuple(name for name in FACTS if getattr(before, name) != getattr(after, name))


def changes(
    wanted: Iterable[Person], present: Mapping[str, Person], missing: Iterable[Person] = ()
) -> list[Change]:
    """What makes the accounts as the register says; `missing` are those it no longer names."""
    steps = [_change(person, present.get(person.login)) for person in wanted]
    gone = [Change(Step.LEAVE, person, person) for person in missing if person.active]
    return [step for step in steps if step is not None] + gone


def _change(after: Person, before: Person | None) -> Change | None:
    if before is None:
        return Change(Step.JOIN, None, after) if after.active else None
    if not after.active:
        return Change(Step.LEAVE, before, after) if before.active else None
    facts = differing(before, after)
    if not before.active:
        return Change(Step.RETURN, before, after, facts)
    return Change(Step.MOVE, before, after, facts) if facts else None
