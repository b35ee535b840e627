"""Where a profile lets a Reference point (ElementDefinition.type.targetProfile)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serai.fhir.profiles import walk
from serai.fhir.profiles.model import ABSTRACT, core_type
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.scene import Known, Scope
from serai.fhir.profiles.values import Item
from serai.fhir.validation.findings import below
from serai.fhir.validation.references import LITERAL


def literal(value: Any) -> str | None:
    found = value.get("reference") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def type_of(value: Any, scope: Scope, known: Known) -> str | None:
    """The kind of resource referred to, as far as it shows."""
    reference = literal(value)
    target = known.target(reference, scope) if reference is not None else None
    if target is not None:
        return str(target.resource.get("resourceType"))
    steps = (reference or "").partition("/_history/")[0].split("/")
    match = LITERAL.fullmatch("/".join(steps[-2:]))
    said = value.get("type") if isinstance(value, dict) else None
    return match[1] if match else said if isinstance(said, str) else None


def types_allowed(urls: Sequence[str], known: Known) -> set[str] | None:
    """None when anything is, or when that cannot be told."""
    found: set[str] = set()
    for url in urls:
        core = core_type(url)
        profile = known.profile(url) if core is None else None
        kind = core or (profile.type if profile else None)
        if kind is None or kind in ABSTRACT:
            return None
        found.add(kind)
    return found


def check(urls: Sequence[str], item: Item, scope: Scope, known: Known, report: Report) -> None:
    """The target's type always; its profile where the target is at hand."""
    allowed, kind = types_allowed(urls, known), type_of(item.value, scope, known)
    place = below(item.place, "reference")
    if allowed is not None and kind is not None and kind not in allowed:
        named = ", ".join(sorted(allowed))
        report.add("value", "fhir.wrong-target", place, allowed=named)
        return
    reference = literal(item.value)
    target = known.target(reference, scope) if reference is not None else None
    if target is not None and walk.conforms(tuple(urls), target, known) is False:
        report.add("structure", "profile.target", place, profiles=", ".join(urls))
