"""SMART App Launch v2 scopes for clinical data: ``user/Patient.rs``, ``system/*.cruds``.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from serai.kernel.errors import Malformed

# The letters keep their order, each at most once, at least one.
SCOPE = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]{1,63})\.(?P<letters>(?=.)c?r?u?d?s?)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Scope:
    level: str
    resource_type: str
    interactions: str

    def __str__(self) -> str:
        return f"{self.level}/{self.resource_type}.{self.interactions}"


def parse_scope(text: str) -> Scope:
    """One scope; Malformed when it is not exactly one."""
    found = SCOPE.fullmatch(text)
    if found is None:
        raise Malformed("scope.malformed", scope=text[:100])
    return Scope(found["level"], found["type"], found["letters"])


def parse_scopes(text: str) -> frozenset[Scope]:
    """A space-separated list as OAuth writes it (RFC 6749 §3.3); at least one scope."""
    scopes = frozenset(parse_scope(word) for word in text.split())
    if not scopes:
        raise Malformed("scope.missing")
    return scopes


def as_text(scopes: Iterable[Scope]) -> frozenset[str]:
    """The form that `Actor.scopes` carries."""
    return frozenset(str(scope) for scope in scopes)
