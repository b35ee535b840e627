"""The store: every resource, version, search value and share, behind one front door."""

from serai.fhir.store.changes import Change, Guard, Write
from serai.fhir.store.front import FhirStore
from serai.fhir.store.history import Asked as HistoryAsked
from serai.fhir.store.history import Versions
from serai.fhir.store.together import Reads
from serai.fhir.stored import Stored

__all__ = ["Change", "FhirStore", "Guard", "HistoryAsked", "Reads", "Stored", "Versions", "Write"]
