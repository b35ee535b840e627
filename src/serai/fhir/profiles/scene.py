"""What one validation knows: definitions at hand, answers about codes, targets, and what is
still to be asked. A walk that lacked something is made again once it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from serai.fhir.profiles.model import Node, Profile
from serai.fhir.profiles.report import Report
from serai.fhir.validation.findings import Place, below, top

# (value set, system or None, code)
Question = tuple[str, str | None, str]


class TooCostly(Exception):
    """The instance asks for more checks than one validation may take."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The resource that an element belongs to, for ``%resource`` and for its references."""

    resource: dict[str, Any]
    place: Place
    container: dict[str, Any]
    full_url: str = ""


@dataclass(slots=True)
class Known:
    """`profiles` holds None for a URL nobody here knows; `refused` why one cannot be used."""

    profiles: Mapping[str, Profile | None]
    answers: Mapping[Question, bool | None]
    targets: Mapping[str, Scope]
    left: int
    missing: set[str] = field(default_factory=set)
    questions: set[Question] = field(default_factory=set)
    judged: dict[tuple[int, str], Report | None] = field(default_factory=dict)
    said: dict[tuple[int, str], list[Node]] = field(default_factory=dict)

    def profile(self, url: str) -> Profile | None:
        if url not in self.profiles:
            self.missing.add(url)
        return self.profiles.get(url)

    def step(self, weight: int = 1) -> None:
        self.left -= weight
        if self.left < 0:
            raise TooCostly

    def target(self, reference: str, scope: Scope) -> Scope | None:
        """The resource in this Bundle, or contained in this resource, that is referred to."""
        if reference.startswith("#"):
            return _contained(reference[1:], scope)
        found = self.targets.get(reference.partition("/_history/")[0])
        if found is None and "/" in reference and ":" not in reference:
            # A relative reference is relative to the base of the entry it stands in
            # (R4 §2.36.4.1).
            base = scope.full_url.rsplit("/", 2)[0]
            found = self.targets.get(f"{base}/{reference}")
        return found


def _contained(wanted: str, scope: Scope) -> Scope | None:
    if not wanted:
        return Scope(scope.container, scope.place, scope.container, scope.full_url)
    listed = scope.container.get("contained")
    for index, one in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(one, dict) and one.get("id") == wanted:
            place = below(scope.place, "contained", index)
            return Scope(one, place, scope.container, scope.full_url)
    return None


def entries(bundle: Any, place: Place) -> Iterator[tuple[str, Scope]]:
    """The resources in a Bundle with their fullUrl."""
    listed = bundle.get("entry") if isinstance(bundle, dict) else None
    for index, one in enumerate(listed if isinstance(listed, list) else ()):
        resource = one.get("resource") if isinstance(one, dict) else None
        if isinstance(resource, dict):
            here = below(below(place, "entry", index), "resource")
            url = one.get("fullUrl")
            full_url = url if isinstance(url, str) else ""
            yield full_url, Scope(resource, here, resource, full_url)


def targets_of(data: dict[str, Any]) -> dict[str, Scope]:
    """By fullUrl, and by type and id where an entry has none."""
    found: dict[str, Scope] = {}
    if data.get("resourceType") != "Bundle":
        return found
    for full_url, scope in entries(data, top("Bundle")):
        found.setdefault(full_url or _relative(scope.resource), scope)
        found.setdefault(_relative(scope.resource), scope)
    return found


def _relative(resource: dict[str, Any]) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"
