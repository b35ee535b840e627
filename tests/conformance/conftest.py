"""The servers that the engines' own tests use."""

from tests.fhir.conftest import as_actor, fhir, store
from tests.imaging.conftest import shared_server

__all__ = ["as_actor", "fhir", "shared_server", "store"]
