"""The FHIR REST interface over HTTP (R4 §3.1.0)."""

from serai.fhir.http.door import FhirDoor

__all__ = ["FhirDoor"]
