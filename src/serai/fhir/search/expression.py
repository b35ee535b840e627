"""Reads the part of FHIRPath that HL7's R4 search parameters are written in (R4 §3.1.3.3).

Patient.name | Observation.value as CodeableConcept | Patient.telecom.where(system='phone')
Appointment.participant.actor.where(resolve() is Patient) | Bundle.entry[0].resource
Patient.deceased.exists() and Patient.deceased != false
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Child:
    """An element by name."""

    name: str


@dataclass(frozen=True, slots=True)
class OfType:
    """The value, if it is of this type."""

    type: str


@dataclass(frozen=True, slots=True)
class First:
    """The first of several."""


@dataclass(frozen=True, slots=True)
class Where:
    """Those whose child has this value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Resolves:
    """Those references that point to this type of resource."""

    type: str


@dataclass(frozen=True, slots=True)
class HoldsUnlessFalse:
    """Whether the element is there and not false (``deceased``)."""


Step = Child | OfType | First | Where | Resolves | HoldsUnlessFalse


@dataclass(frozen=True, slots=True)
class Path:
    """`root` is the resource type the path starts from, "" when any."""

    root: str
    steps: tuple[Step, ...]


class NotUnderstood(Exception):
    """The expression uses more of FHIRPath than is read here."""


HOLDS: Final = re.compile(r"(?P<path>[\w.]+)\.exists\(\) and (?P=path) != false")
AS: Final = re.compile(r"\((?P<path>[^()|]+) as (?P<type>\w+)\)")
STEP: Final = re.compile(
    r"\.?(?:where\(resolve\(\) is (?P<resolves>\w+)\)"
    r"|where\((?P<name>\w+)\s*=\s*'(?P<value>[^']*)'\)"
    r"|(?:as|ofType)\((?P<type>\w+)\)"
    r"|(?P<first>\[0\])"
    r"|(?P<child>\w+))"
)


@cache
def read(expression: str) -> tuple[Path, ...]:
    """The paths whose union the expression is."""
    if match := HOLDS.fullmatch(expression):
        path = _path(match["path"])
        return (Path(path.root, (*path.steps, HoldsUnlessFalse())),)
    plain = AS.sub(r"\g<path>.as(\g<type>)", expression)
    return tuple(_path(part.strip()) for part in plain.split("|"))


def _path(text: str) -> Path:
    steps = tuple(_steps(text))
    match steps:
        case (Child(name), *rest) if name[0].isupper():
            return Path(name, tuple(rest))
    return Path("", steps)


def _steps(text: str) -> Iterator[Step]:
    position = 0
    while position < len(text):
        match = STEP.match(text, position)
        if match is None:
            raise NotUnderstood(text)
        yield _step(match)
        position = match.end()


def _step(match: re.Match[str]) -> Step:
    if match["child"]:
        return Child(match["child"])
    if match["type"]:
        return OfType(match["type"])
    if match["resolves"]:
        return Resolves(match["resolves"])
    if match["first"]:
        return First()
    return Where(match["name"], match["value"])
