"""Validation against profiles (R4 §5.1): what StructureDefinitions in the store ask beyond R4."""

from __future__ import annotations

from serai.fhir.profiles.messages import MESSAGES
from serai.fhir.profiles.running import Members, validate

__all__ = ["MESSAGES", "Members", "validate"]
