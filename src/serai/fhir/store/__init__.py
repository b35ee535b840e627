"""The store: every resource, version, search value and share, behind one front door."""

from serai.fhir.store.ahead import Ahead, Made
from serai.fhir.store.changes import Change, Guard, Write
from serai.fhir.store.front import FhirStore
from serai.fhir.store.history import Asked as HistoryAsked
from serai.fhir.store.history import Versions
from serai.fhir.store.together import Reads
from serai.fhir.stored import Stored

__all__ = [
    "Ahead",
    "Change",
    "FhirStore",
    "Guard",
    "HistoryAsked",
    "Made",
    "Reads",
    "Stored",
    "Versions",
    "Write",
]
