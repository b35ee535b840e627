"""Required bindings: codes must come from the value set the standard names (R4 §4.1.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from serai.fhir import definitions
from serai.fhir.validation.findings import Findings, Place

Codes = Mapping[str, frozenset[str]]
Rule = Callable[[dict[str, object], Place, Findings], None]


def all_codes(url: str) -> frozenset[str] | None:
    """Every code of the value set, whatever its system; None where HL7 lists none."""
    systems = definitions.value_set(url)
    return frozenset().union(*systems.values()) if systems is not None else None


def rule_for(type_code: str, url: str | None) -> Rule | None:
    """The check of a Coding or CodeableConcept against the value set, if it can be checked."""
    systems = definitions.value_set(url) if url else None
    if systems is None:
        return None
    if type_code == "Coding":
        return _coding_rule(systems, str(url))
    if type_code == "CodeableConcept":
        return _concept_rule(systems, str(url))
    return None


def _coding_rule(systems: Codes, url: str) -> Rule:
    def check(coding: dict[str, object], place: Place, findings: Findings) -> None:
        if not _is_among(coding, systems):
            findings.add("code-invalid", "fhir.code-not-in-value-set", place, value_set=url)

    return check


def _concept_rule(systems: Codes, url: str) -> Rule:
    """One coding from the set is enough; the others may translate it (R4 §4.1.5.1)."""

    def check(concept: dict[str, object], place: Place, findings: Findings) -> None:
        codings = concept.get("coding")
        if codings is None and "text" not in concept:
            return  # only an extension, which says why the concept is absent
        if not isinstance(codings, list) or not any(_is_among(one, systems) for one in codings):
            findings.add("code-invalid", "fhir.code-not-in-value-set", place, value_set=url)

    return check


def _is_among(coding: object, systems: Codes) -> bool:
    if not isinstance(coding, dict):
        return False
    system, code = coding.get("system"), coding.get("code")
    if not isinstance(system, str) or not isinstance(code, str):
        return False
    return code in systems.get(system, ())
