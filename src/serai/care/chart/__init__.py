"""The patient's chart: who somebody is, what happened to them, and what belongs to them."""

from serai.care.chart.actions import (
    Charts,
    attach_document,
    attach_pictures,
    find,
    person,
    studies,
)
from serai.care.chart.model import Attached, Entry, Kind, Person, Study, Summary, grouped
from serai.care.chart.records import (
    KINDS,
    organisation_name,
    person_name,
    summary,
    timeline,
    to_entry,
)

__all__ = [
    "KINDS",
    "Attached",
    "Charts",
    "Entry",
    "Kind",
    "Person",
    "Study",
    "Summary",
    "attach_document",
    "attach_pictures",
    "find",
    "grouped",
    "organisation_name",
    "person",
    "person_name",
    "studies",
    "summary",
    "timeline",
    "to_entry",
]
