"""Small profiles stated as differentials, and what an instance is told when held against one."""

from __future__ import annotations

from typing import Any

from serai.fhir.profiles import contents
from serai.fhir.profiles.compiling import compiled
from serai.fhir.profiles.model import Profile, core_type
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.running import MOST_STEPS
from serai.fhir.profiles.scene import Known, Scope, TooCostly, targets_of
from serai.fhir.profiles.snapshot import of_core, with_snapshot
from serai.fhir.validation.findings import top

EXAMPLE = "http://example.org/StructureDefinition/"
CORE = "http://hl7.org/fhir/StructureDefinition/"

Data = dict[str, Any]
Told = tuple[str, str, str]


def definition(name: str, type_name: str, *elements: Data, base: str | None = None) -> Data:
    return {
        "resourceType": "StructureDefinition", "id": name, "url": EXAMPLE + name, "name": name,
        "status": "active", "kind": "resource", "abstract": False, "type": type_name,
        "baseDefinition": base or CORE + type_name, "derivation": "constraint",
        "differential": {"element": list(elements)},
    }  # fmt: skip


def shelved(*definitions: Data) -> dict[str, Profile | None]:
    """A base comes before what is derived from it."""
    whole: dict[str, Data] = {}
    for one in definitions:
        core = core_type(one["baseDefinition"])
        base = of_core(core) if core else whole[one["baseDefinition"]]
        whole[one["url"]] = with_snapshot(one, base)
    return {url: compiled(one) for url, one in whole.items()}


def told(profiles: dict[str, Profile | None], name: str, data: Data) -> list[Told]:
    """Severity, key and place of each issue, in order."""
    known = Known(profiles, {}, targets_of(data), MOST_STEPS)
    report, place = Report(), top(str(data["resourceType"]))
    try:
        contents.against(EXAMPLE + name, Scope(data, place, data), known, report)
    except TooCostly:
        report.add("too-costly", "profile.too-costly", place)
    return [(one.severity, one.key.removeprefix("profile."), one.path) for one in report.issues]
