"""Extensions say one thing: a value, or further extensions (R4 §2.5, invariant ext-1)."""

from __future__ import annotations

from serai.fhir.validation.findings import Findings, Place


def check_extension(extension: dict[str, object], place: Place, findings: Findings) -> None:
    has_value = any(name.startswith(("value", "_value")) for name in extension)
    if has_value and "extension" in extension:
        findings.add("invariant", "fhir.extension-value-and-extensions", place)
    elif not has_value and "extension" not in extension:
        findings.add("invariant", "fhir.extension-says-nothing", place)
