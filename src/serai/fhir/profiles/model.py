"""A profile ready to check with: the tree of its element definitions (R4 §5.1, §2.28)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from serai.fhir.definitions import COMPLEX_TYPES, RESOURCE_TYPES

CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
ABSTRACT: Final = frozenset({"Resource", "DomainResource"})


@dataclass(frozen=True, slots=True)
class Type:
    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint:
    """An invariant; `human` is what its author says it means."""

    key: str
    severity: str
    expression: str
    human: str


@dataclass(frozen=True, slots=True)
class Binding:
    strength: str
    value_set: str


@dataclass(frozen=True, slots=True)
class Slicing:
    """`discriminators` are pairs of type and path (R4 §5.1.0.9)."""

    discriminators: tuple[tuple[str, str], ...]
    rules: str
    ordered: bool


@dataclass(slots=True, eq=False)
class Node:
    """One element. `fixed` and `pattern` are one-element tuples when they are given; children
    stand under their bare name (``value`` for ``value[x]``). Of a partial one, a slice, only what
    it changes is known, so that its items are held against the sliced element too."""

    path: str
    name: str
    minimum: int
    maximum: int | None
    types: tuple[Type, ...] = ()
    slice_name: str | None = None
    fixed: tuple[Any, ...] = ()
    pattern: tuple[Any, ...] = ()
    longest: int | None = None
    lowest: Any = None
    highest: Any = None
    constraints: tuple[Constraint, ...] = ()
    binding: Binding | None = None
    slicing: Slicing | None = None
    content: str | None = None
    is_choice: bool = False
    partial: bool = False
    children: dict[str, Node] = field(default_factory=dict)
    slices: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Profile:
    """`type` is the resource or data type it constrains."""

    url: str
    version: str | None
    type: str
    root: Node


def core_type(url: str) -> str | None:
    """The R4 type whose own definition the URL names; the base validation knows those."""
    bare = url.partition("|")[0]
    name = bare.removeprefix(CORE)
    known = name in RESOURCE_TYPES or name in COMPLEX_TYPES or name in ABSTRACT
    return name if bare.startswith(CORE) and known else None
