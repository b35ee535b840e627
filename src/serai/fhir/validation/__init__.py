"""Validation of resources against the R4 StructureDefinitions."""

from __future__ import annotations

from serai.fhir.validation.findings import Findings, top
from serai.fhir.validation.messages import MESSAGES
from serai.fhir.validation.structure import check_resource
from serai.kernel.errors import Issue

__all__ = ["MESSAGES", "validate"]


def validate(resource: object) -> list[Issue]:
    """What is wrong with a decoded resource, empty when it conforms (R4 §5.1).

    Decimals should be decoded as `Decimal`, so that their digits survive. No value of the
    record is repeated in an issue: issues are logged and shown, records are confidential.
    """
    findings = Findings()
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    check_resource(resource, top(kind if isinstance(kind, str) else "Resource"), findings)
    return findings.issues
