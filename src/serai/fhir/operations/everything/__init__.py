"""`$everything` of a patient, of every patient, and of an encounter (R4 Patient §8.1.15)."""

from serai.fhir.operations.everything.asking import ENCOUNTER, PATIENT

__all__ = ["ENCOUNTER", "PATIENT"]
