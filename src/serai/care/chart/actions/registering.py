"""Entering a person into the hospital's records, and opening the chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serai.care.chart import records
from serai.care.chart.model import Kind, Person, Registration, Study, Summary
from serai.care.chart.records import Timeline
from serai.fhir.body import of
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, Forbidden
from serai.platform.db import Connection, Database


@dataclass(frozen=True, slots=True)
class Charts:
    """What every action of a chart works with."""

    db: Database
    fhir: FhirStore
    archive: Archive


async def look_alikes(
    charts: Charts, registration: Registration, *, actor: Actor, now: datetime
) -> tuple[Person, ...]:
    """Who may be the same person; shown before somebody is registered twice."""
    registration.check(now.date())
    async with charts.db.connection() as c:
        return await records.look_alikes(charts.fhir, c, registration, actor=actor)


async def register(
    charts: Charts,
    registration: Registration,
    *,
    despite: frozenset[str],
    actor: Actor,
    now: datetime,
) -> Person:
    """Register a person; refused while look-alikes exist that nobody has looked at.

    `despite` names the patients whom the actor has seen and found to be others.
    """
    if actor.organisation is None or not actor.may("c", "Patient"):
        raise Forbidden("chart.may-not-register")
    registration.check(now.date())
    async with charts.db.transaction() as tx:
        alike = await records.look_alikes(charts.fhir, tx, registration, actor=actor)
        if {person.id for person in alike} - despite:
            raise Conflict("chart.look-alikes", count=len(alike))
        patient = of(records.to_patient(registration, organisation=actor.organisation))
        stored = await charts.fhir.create(tx, patient, actor=actor, now=now)
    return records.to_person(stored.data)


async def find(charts: Charts, text: str, *, actor: Actor) -> tuple[Person, ...]:
    """People by name, number or birth date; without a search, whose record changed last."""
    async with charts.db.connection() as c:
        if text.strip():
            return await records.find_people(charts.fhir, c, text, actor=actor)
        return await records.newest_people(charts.fhir, c, actor=actor)


@dataclass(frozen=True, slots=True)
class Chart:
    """All that a patient's page shows."""

    person: Person
    ours: bool
    summary: Summary
    timeline: Timeline
    studies: tuple[Study, ...]


async def person(charts: Charts, c: Connection, patient: str, *, actor: Actor) -> Person:
    stored = await charts.fhir.read(c, "Patient", patient, actor=actor)
    return records.to_person(stored.data)


async def open_chart(
    charts: Charts, patient: str, kind: Kind | None, page: int, *, actor: Actor
) -> Chart:
    async with charts.db.connection() as c:
        stored = await charts.fhir.read(c, "Patient", patient, actor=actor)
        return Chart(
            person=records.to_person(stored.data),
            ours=stored.owner == actor.organisation,
            summary=await records.summary(charts.fhir, c, patient, actor=actor),
            timeline=await records.timeline(c, patient, kind, page, actor=actor),
            studies=await studies(charts, c, patient, actor=actor),
        )


async def studies(
    charts: Charts, c: Connection, patient: str, *, actor: Actor
) -> tuple[Study, ...]:
    found = await charts.archive.studies_for_patient(c, patient, actor=actor)
    return tuple(
        Study(
            uid=study.uid,
            resource=study.resource,
            date=study.date.isoformat() if study.date else "",
            modalities=tuple(study.modalities),
            description=study.description,
            instances=study.instances,
            series=study.series,
        )
        for study in found
    )
