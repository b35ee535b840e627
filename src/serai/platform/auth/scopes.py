"""SMART App Launch v2 scopes for clinical data: ``user/Patient.rs``, ``system/*.cruds``,
``patient/Observation.rs?category=http://…|vital-signs``.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from serai.kernel.errors import Malformed

# The letters keep their order, each at most once, at least one.
SCOPE = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]{1,63})"
    r"\.(?P<letters>(?=[cruds])c?r?u?d?s?)(?:\?(?P<query>[\w:.-]{1,64}=[!-~]{1,400}))?",
    re.ASCII,
)
# What version 1 wrote for letters.
VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True, slots=True)
class Scope:
    level: str
    resource_type: str
    interactions: str
    query: str = ""

    def __str__(self) -> str:
        plain = f"{self.level}/{self.resource_type}.{self.interactions}"
        return f"{plain}?{self.query}" if self.query else plain


def parse_scope(text: str) -> Scope:
    """One scope; Malformed when it is not exactly one."""
    found = SCOPE.fullmatch(text)
    if found is None or (found["query"] and found["type"] == "*"):
        raise Malformed("scope.malformed", scope=text[:100])
    return Scope(found["level"], found["type"], found["letters"], found["query"] or "")


def modern(text: str) -> str:
    """A scope of version 1 (``patient/*.read``) as version 2 writes it; any other as it is."""
    grant, dot, word = text.rpartition(".")
    return f"{grant}.{VERSION_1[word]}" if dot and word in VERSION_1 else text


def parse_scopes(text: str) -> frozenset[Scope]:
    """A space-separated list as OAuth writes it (RFC 6749 §3.3); at least one scope."""
    scopes = frozenset(parse_scope(word) for word in text.split())
    if not scopes:
        raise Malformed("scope.missing")
    return scopes


def as_text(scopes: Iterable[Scope]) -> frozenset[str]:
    """The form that `Actor.scopes` carries."""
    return frozenset(str(scope) for scope in scopes)
