"""Pieces of the record that go along with a request."""

from __future__ import annotations

from collections.abc import Iterable

from serai.care import chart
from serai.care.consultation.records.keeping import read
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor
from serai.platform.db import Connection

RECENT = {
    chart.Kind.REPORT: 10,
    chart.Kind.DOCUMENT: 20,
    chart.Kind.OBSERVATION: 20,
    chart.Kind.ENCOUNTER: 3,
    chart.Kind.PROCEDURE: 5,
}


async def attached_entries(
    fhir: FhirStore, c: Connection, references: Iterable[str], *, actor: Actor
) -> tuple[chart.Entry, ...]:
    """What was attached, newest first of each kind; images are listed by themselves."""
    found = []
    for reference in references:
        resource_type, _, logical_id = reference.partition("/")
        if resource_type not in chart.KINDS or resource_type == "ImagingStudy":
            continue
        resource = await read(fhir, c, resource_type, logical_id, actor=actor)
        if resource:
            found.append(chart.to_entry(resource))
    kinds = list(chart.Kind)
    newest = sorted(found, key=lambda entry: entry.at, reverse=True)
    return tuple(sorted(newest, key=lambda entry: kinds.index(entry.kind)))


async def recent_entries(c: Connection, patient: str, *, actor: Actor) -> tuple[chart.Entry, ...]:
    """What of the record may be worth sending: the newest of each kind, each title once."""
    found: list[chart.Entry] = []
    for kind, most in RECENT.items():
        page = await chart.timeline(c, patient, kind, 1, actor=actor)
        newest = {entry.title: entry for entry in reversed(page.entries)}
        repeated = kind is chart.Kind.OBSERVATION
        entries = tuple(newest.values())[::-1] if repeated else page.entries
        found += entries[:most]
    return tuple(found)
