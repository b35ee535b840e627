"""ImagingStudy kept in step with the index: created with a study, settled when it has grown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import orjson

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.imaging.archive import imaging_study, reconciling
from serai.imaging.archive.header import PatientKey
from serai.imaging.archive.imaging_study import SeriesFacts, StudyFacts
from serai.imaging.archive.index import Kept
from serai.imaging.archive.patients import matching_patient
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.errors import Gone
from serai.platform.db import Connection, Database

# FOR UPDATE waits for every transaction that is just adding instances (they hold KEY SHARE).
TAKE = """SELECT resource, issuer, patient_id, attributes::text, corrected::text, corrected_at
          FROM imaging_study WHERE uid = %s AND NOT settled FOR UPDATE"""
SERIES_OF = """SELECT s.uid, s.modality, s.number, s.attributes::text,
                      (SELECT count(*) FROM imaging_instance i
                       WHERE i.study_uid = s.study_uid AND i.series_uid = s.uid)
               FROM imaging_series s WHERE s.study_uid = %s
               ORDER BY s.number NULLS LAST, s.uid"""
SETTLED = """UPDATE imaging_study SET settled = true, series = %(series)s,
                 instances = %(instances)s,
                 bytes = (SELECT coalesce(sum(size), 0) FROM imaging_instance
                          WHERE study_uid = %(study)s)
             WHERE uid = %(study)s"""
UNSETTLED = """SELECT uid FROM imaging_study WHERE NOT settled AND received_at < %s
               ORDER BY received_at LIMIT 1000"""


async def create_resource(
    tx: Connection,
    fhir: FhirStore,
    kept: Sequence[Kept],
    *,
    actor: Actor,
    now: datetime,
) -> str:
    """The ImagingStudy of a study whose first instances are `kept`; its id."""
    facts = _arrived(kept)
    patient = await matching_patient(tx, actor.organisation, facts.patient, facts.attributes)
    subject = (
        imaging_study.subject_by_reference(patient, facts)
        if patient
        else imaging_study.subject_by_number(facts)
    )
    resource = body.of(imaging_study.new(facts, subject))
    return (await fhir.create(tx, resource, actor=actor, now=now)).id


async def settle(
    db: Database, fhir: FhirStore, study_uids: Iterable[str], *, now: datetime
) -> None:
    """Bring the ImagingStudy of each grown study up to its counts, one transaction each."""
    for uid in study_uids:
        async with db.transaction() as tx:
            await _settle_one(tx, fhir, uid, now)


async def settle_left(db: Database, fhir: FhirStore, *, before: datetime, now: datetime) -> int:
    """Settle what a crash left behind: studies that grew and that nobody is feeding."""
    async with db.connection() as connection:
        rows = await (await connection.execute(UNSETTLED, (before,))).fetchall()
    await settle(db, fhir, [uid for (uid,) in rows], now=now)
    return len(rows)


async def _settle_one(tx: Connection, fhir: FhirStore, uid: str, now: datetime) -> None:
    row = await (await tx.execute(TAKE, (uid,))).fetchone()
    if row is None:
        return
    resource, issuer, patient_id, attributes, corrected, corrected_at = row
    if corrected is not None:
        await reconciling.apply(tx, uid, orjson.loads(corrected), since=corrected_at)
    series = [
        SeriesFacts(series_uid, modality, number, instances, orjson.loads(series_attributes))
        for series_uid, modality, number, series_attributes, instances in await (
            await tx.execute(SERIES_OF, (uid,))
        ).fetchall()
    ]
    facts = StudyFacts(uid, PatientKey(issuer, patient_id), orjson.loads(attributes), series)
    instances = sum(each.instances for each in series)
    await tx.execute(SETTLED, {"series": len(series), "instances": instances, "study": uid})
    try:
        current = await fhir.read(tx, "ImagingStudy", resource, actor=serai_itself)
    except Gone:
        return
    data = imaging_study.in_step(current.data, facts)
    if data != current.data:
        await fhir.update(tx, body.of(data), actor=serai_itself, now=now)


def _arrived(kept: Sequence[Kept]) -> StudyFacts:
    first = kept[0].instance
    series: dict[str, SeriesFacts] = {}
    for each in kept:
        instance = each.instance
        known = series.get(instance.series_uid)
        series[instance.series_uid] = (
            replace(known, instances=known.instances + 1)
            if known
            else SeriesFacts(
                instance.series_uid,
                instance.modality,
                instance.series_number,
                1,
                instance.series,
            )
        )
    return StudyFacts(first.study_uid, first.patient, first.study, list(series.values()))
