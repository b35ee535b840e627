"""Reading: one consultation with all that belongs to it, and the worklists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serai.care import chart
from serai.care.consultation import records
from serai.care.consultation.actions.moving import acting_for
from serai.care.consultation.model import (
    CLINICIANS,
    Act,
    Consultation,
    Side,
    Stay,
    permitted,
    side_of,
    stays,
)
from serai.care.consultation.records import (
    Consultations,
    Counts,
    Message,
    Names,
    OpinionVersion,
    Wanted,
    Worklist,
)
from serai.imaging.archive import Archive
from serai.kernel.actor import Actor
from serai.network import Directory, Organisation, StaffMember, directory, staff_of
from serai.platform.db import Connection


@dataclass(frozen=True, slots=True)
class View:
    """One consultation as the actor may see it."""

    consultation: Consultation
    names: Names
    person: chart.Person
    entries: tuple[chart.Entry, ...]
    studies: tuple[chart.Study, ...]
    messages: tuple[Message, ...]
    opinion: OpinionVersion | None
    signed: tuple[OpinionVersion, ...]
    stays: tuple[Stay, ...]
    permitted: frozenset[Act]
    sides: frozenset[Side]
    experts: tuple[StaffMember, ...]
    offered: tuple[chart.Entry, ...]
    directory: Directory


async def look(
    kept: Consultations, archive: Archive, consultation_id: str, *, actor: Actor, now: datetime
) -> View:
    async with kept.db.connection() as c:
        case = await records.load(kept.fhir, c, consultation_id, actor=actor)
        consultation = case.consultation
        charts = chart.Charts(kept.db, kept.fhir, archive)
        messages = await records.messages(kept.fhir, c, consultation.messages, actor=actor)
        attached = set(consultation.request.attachments)
        attached |= {item for message in messages for item in message.attachments}
        studies = await chart.studies(charts, c, consultation.patient, actor=actor)
        opinion = await records.opinion(kept.fhir, c, consultation, actor=actor)
        steps = await records.steps(kept.fhir, c, consultation_id, actor=actor)
        acts = permitted(consultation, actor)
        return View(
            consultation=consultation,
            names=case.names,
            person=await chart.person(charts, c, consultation.patient, actor=actor),
            entries=await records.attached_entries(kept.fhir, c, attached, actor=actor),
            studies=tuple(one for one in studies if f"ImagingStudy/{one.resource}" in attached),
            messages=messages,
            opinion=opinion,
            signed=await records.opinion_versions(kept.fhir, c, opinion.id, actor=actor)
            if opinion
            else (),
            stays=stays(steps, now),
            permitted=acts,
            sides=side_of(consultation, actor),
            experts=await _experts(kept, c, actor) if acts & {Act.ASSIGN, Act.REASSIGN} else (),
            offered=await _offered(c, consultation, attached, actor) if Act.ANSWER in acts else (),
            directory=await directory(c, kept.fhir, actor=actor),
        )


async def _offered(
    c: Connection, consultation: Consultation, attached: set[str], actor: Actor
) -> tuple[chart.Entry, ...]:
    """What an answer may bring along that was not sent before."""
    studies = await chart.timeline(c, consultation.patient, chart.Kind.STUDY, 1, actor=actor)
    recent = await records.recent_entries(c, consultation.patient, actor=actor)
    return tuple(one for one in (*studies.entries, *recent) if one.reference not in attached)


async def _experts(kept: Consultations, c: Connection, actor: Actor) -> tuple[StaffMember, ...]:
    staff = await staff_of(c, kept.fhir, actor.organisation or "", actor=actor)
    return tuple(member for member in staff if member.role in CLINICIANS)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the form of a draft offers."""

    consultation: Consultation
    person: chart.Person
    studies: tuple[chart.Study, ...]
    entries: tuple[chart.Entry, ...]
    usual: frozenset[str]
    hospitals: tuple[Organisation, ...]
    offered: dict[str, tuple[str, ...]]


async def desk(
    kept: Consultations, archive: Archive, consultation_id: str, *, actor: Actor
) -> Desk:
    """The draft with what could be attached; `usual` is what nobody would leave out."""
    organisation, _ = acting_for(actor)
    async with kept.db.connection() as c:
        case = await records.load(kept.fhir, c, consultation_id, actor=actor)
        patient = case.consultation.patient
        charts = chart.Charts(kept.db, kept.fhir, archive)
        summary = await chart.summary(kept.fhir, c, patient, actor=actor)
        studies = await chart.studies(charts, c, patient, actor=actor)
        important = (*summary.problems, *summary.allergies, *summary.medicines)
        others = await records.recent_entries(c, patient, actor=actor)
        usual = {entry.reference for entry in important}
        usual |= {f"ImagingStudy/{study.resource}" for study in studies}
        entries = {entry.reference: entry for entry in (*important, *others)}
        network = await directory(c, kept.fhir, actor=actor)
        return Desk(
            consultation=case.consultation,
            person=await chart.person(charts, c, patient, actor=actor),
            studies=studies,
            entries=tuple(entries.values()),
            usual=frozenset(usual),
            hospitals=tuple(network.may_be_asked_by(organisation)),
            offered={
                hospital.id: network.offering(hospital.id)
                for hospital in network.may_be_asked_by(organisation)
            },
        )


async def worklist(
    kept: Consultations, wanted: Wanted, *, actor: Actor
) -> tuple[Worklist, Counts, Directory]:
    async with kept.db.connection() as c:
        return (
            await records.worklist(c, wanted, actor=actor),
            await records.counts(c, actor=actor, view=wanted.view),
            await directory(c, kept.fhir, actor=actor),
        )


async def read(kept: Consultations, consultation_id: str, *, actor: Actor) -> Consultation:
    async with kept.db.connection() as c:
        return (await records.load(kept.fhir, c, consultation_id, actor=actor)).consultation
