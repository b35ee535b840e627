"""HL7's own R4 examples (npm hl7.fhir.r4.examples 4.0.1) that Serai refuses: file → reason.

Each breaks the standard it illustrates; all 5,284 others are accepted.
"""

from __future__ import annotations

from typing import Final

_NO_BASE = "SearchParameter.base is required (1..*) and missing"
_EMPTY_NARRATIVE = "Narrative with neither text nor picture (invariant txt-2)"
_NO_NAME = "ImplementationGuide.name and status are required (1..1) and missing"

REFUSED: Final[dict[str, str]] = {
    "ActivityDefinition-blood-tubes-supply.json": _EMPTY_NARRATIVE,
    "ActivityDefinition-heart-valve-replacement.json": _EMPTY_NARRATIVE,
    "DeviceMetric-example.json": "parent refers to a DeviceDefinition; only Device is allowed",
    "DeviceUseStatement-example.json": "reasonReference refers to a Procedure",
    "EventDefinition-example.json": _EMPTY_NARRATIVE,
    "ImplementationGuide-fhir.json": _NO_NAME,
    "MedicationRequest-medrx0301.json": "dispenseRequest.performer refers to a Practitioner",
    "Observation-clinical-gender.json": "performer refers to an Encounter",
    "Questionnaire-qs1.json": "items without linkId, which is required (1..1)",
    "Questionnaire-zika-virus-exposure-assessment.json": _EMPTY_NARRATIVE,
    "SearchParameter-codesystem-extensions-CodeSystem-author.json": _NO_BASE,
    "SearchParameter-codesystem-extensions-CodeSystem-effective.json": _NO_BASE,
    "SearchParameter-codesystem-extensions-CodeSystem-end.json": _NO_BASE,
    "SearchParameter-codesystem-extensions-CodeSystem-keyword.json": _NO_BASE,
    "SearchParameter-codesystem-extensions-CodeSystem-workflow.json": _NO_BASE,
    "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json": (
        "an id of more than 64 characters"
    ),
    "SearchParameter-valueset-extensions-ValueSet-author.json": _NO_BASE,
    "SearchParameter-valueset-extensions-ValueSet-effective.json": _NO_BASE,
    "SearchParameter-valueset-extensions-ValueSet-end.json": _NO_BASE,
    "SearchParameter-valueset-extensions-ValueSet-keyword.json": _NO_BASE,
    "SearchParameter-valueset-extensions-ValueSet-workflow.json": _NO_BASE,
    "ig-r4.json": _NO_NAME,
}
