"""What must be looked at wherever it stands: the extensions (R4 §2.5) and the profiles that a
resource claims in its meta (R4 §2.36.3)."""

from __future__ import annotations

from typing import Any

from serai.fhir.profiles import walk
from serai.fhir.profiles.model import core_type
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.scene import Known, Scope
from serai.fhir.profiles.values import Item
from serai.fhir.validation.findings import Place, below

EXTENSIONS = ("extension", "modifierExtension")


def check(value: Any, place: Place, scope: Scope, known: Known, report: Report) -> None:
    """Everything below a value; the validation of structure has bounded its depth."""
    known.step()
    if not isinstance(value, dict):
        return
    if "resourceType" in value and value is not scope.resource:
        container = scope.container if place[1] == "contained" else value
        scope = Scope(value, place, container, scope.full_url)
    if "resourceType" in value:
        _claims(value, scope, known, report)
    for name, inner in value.items():
        label = name.removeprefix("_")
        listed = inner if isinstance(inner, list) else [inner]
        for index, one in enumerate(listed):
            here = below(place, label, index if isinstance(inner, list) else None)
            if name in EXTENSIONS:
                _extension(name, one, here, scope, known, report)
            check(one, here, scope, known, report)


def _extension(
    name: str, one: Any, place: Place, scope: Scope, known: Known, report: Report
) -> None:
    """A relative url names a part of the extension around it, whose definition covers it."""
    url = one.get("url") if isinstance(one, dict) else None
    if not isinstance(url, str) or ":" not in url:
        return
    profile = known.profile(url)
    if profile is not None:
        walk.check_value(profile.root, Item(one, "Extension", place), scope, known, report)
    elif name == "modifierExtension":
        report.add("extension", "profile.unknown-modifier", place)
    else:
        report.add("extension", "profile.unknown-extension", place, "information")


def _claims(resource: dict[str, Any], scope: Scope, known: Known, report: Report) -> None:
    meta = resource.get("meta")
    claimed = meta.get("profile") if isinstance(meta, dict) else None
    for url in claimed if isinstance(claimed, list) else ():
        if isinstance(url, str):
            against(url, scope, known, report, severity="warning")


def against(
    url: str, scope: Scope, known: Known, report: Report, *, severity: str = "error"
) -> None:
    """The resource against one profile; `severity` is of not knowing it."""
    core = core_type(url)
    if core is not None:
        if core not in (scope.resource.get("resourceType"), *walk.ANY_OBJECT):
            report.add("structure", "profile.other-type", scope.place, profile=url)
        return
    profile = known.profile(url)
    if profile is None:
        report.add("not-found", "profile.not-here", scope.place, severity, profile=url)
        return
    made = walk.judge(profile, scope, known)
    for issue in made.issues if made else ():
        report.take(issue)
