"""The chart in FHIR: Patient and the resources about one."""

from serai.care.chart.records.entries import KINDS, to_entry
from serai.care.chart.records.people import (
    find_people,
    look_alikes,
    names_of,
    newest_people,
    organisation_name,
    person_name,
    to_patient,
    to_person,
)
from serai.care.chart.records.timeline import Timeline, summary, timeline

__all__ = [
    "KINDS",
    "Timeline",
    "find_people",
    "look_alikes",
    "names_of",
    "newest_people",
    "organisation_name",
    "person_name",
    "summary",
    "timeline",
    "to_entry",
    "to_patient",
    "to_person",
]
