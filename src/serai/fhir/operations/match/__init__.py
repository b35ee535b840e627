"""`Patient/$match`: who this might be (R4 Patient §8.1.15.2)."""

from serai.fhir.operations.match.asking import MATCH

__all__ = ["MATCH"]
