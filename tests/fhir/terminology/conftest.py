"""The store of the FHIR tests, keeping terminology in step."""

from __future__ import annotations

import pytest
from tests.fhir.conftest import BASE, as_actor, fhir

from serai.fhir.store import FhirStore
from serai.fhir.terminology.keeping import register_guards

__all__ = ["as_actor", "fhir", "store"]


@pytest.fixture
def store() -> FhirStore:
    made = FhirStore(base=BASE)
    register_guards(made)
    return made
