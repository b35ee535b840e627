"""The servers that the engines' own tests use."""

from tests.fhir.conftest import as_actor, fhir, store
from tests.imaging.conftest import own_database, shared_server

__all__ = ["as_actor", "fhir", "own_database", "shared_server", "store"]
