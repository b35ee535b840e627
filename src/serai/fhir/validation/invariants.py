"""The invariants of R4 that guard against the worst mistakes, each under HL7's own key.

The rest of HL7's invariants (FHIRPath constraints) are not evaluated yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from serai.fhir.search.intervals import interval
from serai.fhir.validation.bindings import Rule
from serai.fhir.validation.findings import Findings, Place, below

Json = dict[str, object]
Holds = Callable[[Json], bool]

CLINICAL_CONDITION = "http://terminology.hl7.org/CodeSystem/condition-clinical"
ERROR = "entered-in-error"


def codes_of(concept: object) -> set[object]:
    """The codes of a CodeableConcept, whatever their system."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    listed = codings if isinstance(codings, list) else []
    found = [one.get("code") for one in listed if isinstance(one, dict)]
    return {code for code in found if isinstance(code, str)}


def has(value: Json, *names: str) -> bool:
    """Whether any of the elements is there, be it only by an extension on a primitive."""
    return any(name in value or f"_{name}" in value for name in names)


def has_choice(value: Json, name: str) -> bool:
    return any(key.removeprefix("_").startswith(name) for key in value)


def starts_before_it_ends(period: Json) -> bool:
    start, end = period.get("start"), period.get("end")
    if not isinstance(start, str) or not isinstance(end, str):
        return True
    if len(start) == len(end) and start[-6:] == end[-6:] and start <= end:
        # Written alike, zone included, their order is that of their letters.
        return True
    first, last = interval(start), interval(end)
    return first is None or last is None or first[0] < last[1]


def is_silent_or_has_no_reason_to_be(observation: Json) -> bool:
    return not has(observation, "dataAbsentReason") or not has_choice(observation, "value")


def has_status_unless_an_error(allergy: Json) -> bool:
    is_error = ERROR in codes_of(allergy.get("verificationStatus"))
    return is_error or "clinicalStatus" in allergy


def has_no_status_if_an_error(record: Json) -> bool:
    is_error = ERROR in codes_of(record.get("verificationStatus"))
    return not (is_error and "clinicalStatus" in record)


def is_over_if_abated(condition: Json) -> bool:
    status = codes_of(condition.get("clinicalStatus"))
    if not has_choice(condition, "abatement") or not status:
        return True
    return not status.isdisjoint({"resolved", "remission", "inactive"})


INVARIANTS: Final[Mapping[tuple[str, str], Mapping[str, Holds]]] = {
    ("AllergyIntolerance", ""): {
        "ait-1": has_status_unless_an_error,
        "ait-2": has_no_status_if_an_error,
    },
    ("Attachment", ""): {"att-1": lambda it: "data" not in it or has(it, "contentType")},
    ("Condition", ""): {"con-4": is_over_if_abated, "con-5": has_no_status_if_an_error},
    ("ContactPoint", ""): {"cpt-2": lambda it: "value" not in it or has(it, "system")},
    ("Observation", ""): {"obs-6": is_silent_or_has_no_reason_to_be},
    ("Organization", ""): {"org-1": lambda it: has(it, "identifier", "name")},
    ("Patient", "contact"): {
        "pat-1": lambda it: has(it, "name", "telecom", "address", "organization")
    },
    ("Period", ""): {"per-1": starts_before_it_ends},
    ("Quantity", ""): {"qty-3": lambda it: "code" not in it or has(it, "system")},
    ("SimpleQuantity", ""): {"qty-3": lambda it: "code" not in it or has(it, "system")},
    ("ServiceRequest", ""): {"prr-1": lambda it: "orderDetail" not in it or "code" in it},
}

# What a contained resource may not say of itself, for it has no life of its own.
UNCONTAINED: Final = {"versionId": "dom-4", "lastUpdated": "dom-4", "security": "dom-5"}


def rules_for(type_name: str, path: str) -> tuple[Rule, ...]:
    listed = INVARIANTS.get((type_name, path), {})
    return tuple(_rule(key, holds) for key, holds in listed.items())


def _rule(key: str, holds: Holds) -> Rule:
    def check(value: Json, place: Place, findings: Findings) -> None:
        if not holds(value):
            findings.add("invariant", f"fhir.{key}", place)

    return check


def check_contained_meta(resource: Json, place: Place, findings: Findings) -> None:
    meta = resource.get("meta")
    for name, key in UNCONTAINED.items():
        if isinstance(meta, dict) and name in meta:
            findings.add("invariant", f"fhir.{key}", below(below(place, "meta"), name))
