"""The sections of an IPS (Composition-uv-ips): their LOINC codes, titles, and what belongs in them.

What was entered in error, refuted, cancelled or is only a draft belongs nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from serai.fhir.body import Data

# Of each section the newest; a summary of a lifetime's vital signs would be none.
MOST_IN_SECTION: Final = 100
NEVER: Final = frozenset({"entered-in-error", "cancelled", "draft", "not-done", "rejected"})
ENDED: Final = frozenset({"inactive", "remission", "resolved"})
CURRENT_MEDICATION: Final = frozenset({"active", "intended", "on-hold", "unknown"})
PREGNANCY: Final = frozenset(
    {
        "82810-3", "11778-8", "11779-6", "11780-4", "11636-8", "11637-6", "11638-4", "11639-2",
        "11640-0", "11612-9", "11613-7", "11614-5", "33065-4",
    }
)  # fmt: skip
OBSERVATIONS: Final = {
    "vital-signs": "vitals",
    "laboratory": "results",
    "imaging": "results",
    "social-history": "social",
    # The functional status takes no Observation (Composition-uv-ips).
    "survey": "results",
}


# Tobacco and alcohol use; the social history has room for one of each.
ONCE: Final = ("72166-2", "74013-4")


@dataclass(frozen=True, slots=True)
class Section:
    """`required` ones say it when nothing is known."""

    name: str
    code: str
    display: str
    titles: dict[str, str]
    required: bool = False


SECTIONS: Final = (
    Section("medications", "10160-0", "History of Medication use Narrative",
            {"en": "Medication summary", "zh": "用药摘要"}, required=True),
    Section("allergies", "48765-2", "Allergies and adverse reactions Document",
            {"en": "Allergies and intolerances", "zh": "过敏与不耐受"}, required=True),
    Section("problems", "11450-4", "Problem list - Reported",
            {"en": "Problems", "zh": "健康问题"}, required=True),
    Section("immunizations", "11369-6", "History of Immunization note",
            {"en": "Immunizations", "zh": "免疫接种"}),
    Section("procedures", "47519-4", "History of Procedures Document",
            {"en": "Procedures", "zh": "操作史"}),
    Section("results", "30954-2", "Relevant diagnostic tests/laboratory data note",
            {"en": "Results", "zh": "检查检验结果"}),
    Section("devices", "46264-8", "History of medical device use",
            {"en": "Medical devices", "zh": "医疗器械"}),
    Section("vitals", "8716-3", "Vital signs note", {"en": "Vital signs", "zh": "生命体征"}),
    Section("past", "11348-0", "History of Past illness note",
            {"en": "Past illness", "zh": "既往病史"}),
    Section("plan", "18776-5", "Plan of care note", {"en": "Plan of care", "zh": "照护计划"}),
    Section("social", "29762-2", "Social history note", {"en": "Social history", "zh": "社会史"}),
    Section("pregnancy", "10162-6", "History of pregnancies Narrative",
            {"en": "Pregnancy", "zh": "妊娠史"}),
    Section("functional", "47420-5", "Functional status assessment note",
            {"en": "Functional status", "zh": "功能状态"}),
    Section("directives", "42348-3", "Advance healthcare directives",
            {"en": "Advance directives", "zh": "预先医疗指示"}),
)  # fmt: skip

# Where a type goes whatever it says, besides the checks above.
BY_TYPE: Final = {
    "Immunization": "immunizations",
    "Procedure": "procedures",
    "DiagnosticReport": "results",
    "DeviceUseStatement": "devices",
    "ClinicalImpression": "functional",
}
TYPES: Final = frozenset(BY_TYPE) | {
    "AllergyIntolerance", "CarePlan", "Condition", "Consent", "MedicationRequest",
    "MedicationStatement", "Observation",
}  # fmt: skip


def section_of(resource: Data) -> str | None:
    """The section a resource of the patient belongs in."""
    if resource.get("status") in NEVER:
        return None
    match resource["resourceType"]:
        case "MedicationStatement" | "MedicationRequest":
            return "medications" if resource.get("status") in CURRENT_MEDICATION else None
        case "AllergyIntolerance" | "Condition":
            return _stated(resource)
        case "Observation":
            return _observed(resource)
        case "CarePlan":
            return "plan" if resource.get("status") == "active" else None
        case "Consent":
            return "directives" if "adr" in codes(resource.get("scope")) else None
        case kind:
            return BY_TYPE.get(kind)


def within_bounds(several: Sequence[Data]) -> list[Data]:
    """What of a section's resources, the newest first, it shows."""
    seen: set[str] = set()
    shown = []
    for one in several:
        if one["resourceType"] == "Observation":
            once = codes(one.get("code")) & set(ONCE)
            if once & seen:
                continue
            seen |= once
        shown.append(one)
    return shown[:MOST_IN_SECTION]


def codes(concepts: Any) -> set[str]:
    """All codes of one CodeableConcept or several."""
    several = concepts if isinstance(concepts, list) else [concepts] if concepts else []
    return {str(one.get("code")) for concept in several for one in concept.get("coding", ())}


def _stated(resource: Data) -> str | None:
    if codes(resource.get("verificationStatus")) & {"entered-in-error", "refuted"}:
        return None
    ended = bool(codes(resource.get("clinicalStatus")) & ENDED)
    if resource["resourceType"] == "Condition":
        return "past" if ended else "problems"
    return None if ended else "allergies"


def _observed(resource: Data) -> str | None:
    if codes(resource.get("code")) & PREGNANCY:
        return "pregnancy"
    found = sorted(codes(resource.get("category")) & OBSERVATIONS.keys())
    return OBSERVATIONS[found[0]] if found else None
