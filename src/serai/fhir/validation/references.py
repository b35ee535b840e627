"""References may only point to the kinds of resource the element allows (R4 §2.3.0)."""

from __future__ import annotations

import re

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.validation.bindings import Rule
from serai.fhir.validation.findings import Findings, Place, below

LITERAL = re.compile(r"([A-Z][A-Za-z]*)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")


def check_local(resource: object, findings: Findings) -> None:
    """``#p1`` must be contained here; ``#`` is the resource itself (invariant ref-1)."""
    contained = resource.get("contained") if isinstance(resource, dict) else None
    listed = contained if isinstance(contained, list) else []
    known = [one.get("id") for one in listed if isinstance(one, dict)]
    for identifier, place in findings.local:
        if identifier and identifier not in known:
            findings.add("invariant", "fhir.ref-1", below(place, "reference"))


def rule_for(targets: frozenset[str]) -> Rule:
    allowed = targets or RESOURCE_TYPES
    named = ", ".join(sorted(targets)) or "any R4 resource type"

    def check(reference: dict[str, object], place: Place, findings: Findings) -> None:
        literal = reference.get("reference")
        if isinstance(literal, str) and literal.startswith("#"):
            findings.local.append((literal[1:], place))
            return
        match = LITERAL.fullmatch(literal) if isinstance(literal, str) else None
        if match is not None and match[1] not in allowed:
            findings.add("value", "fhir.wrong-target", below(place, "reference"), allowed=named)

    return check
