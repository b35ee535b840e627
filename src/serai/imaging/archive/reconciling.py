"""Whom a study shows, set right by people: merged, split, demographics corrected, or undone.

The index, the metadata and the ImagingStudy change; the objects stay byte for byte what was sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.imaging.archive import imaging_study
from serai.imaging.archive.content import receive
from serai.imaging.archive.header import PatientKey, issuer_of
from serai.imaging.archive.holding import held
from serai.imaging.archive.imaging_study import StudyFacts
from serai.imaging.archive.index import name_groups
from serai.imaging.archive.patients import matching_patient
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.errors import NotFound
from serai.platform import audit
from serai.platform.blobs import Blobs
from serai.platform.db import Connection

NOW_SHOWN = """s.owner, s.issuer, s.patient_id, s.attributes::text, s.corrected IS NOT NULL"""
SET = """UPDATE imaging_study SET issuer = %(issuer)s, patient_id = %(patient_id)s,
             name_alphabetic = %(alphabetic)s, name_ideographic = %(ideographic)s,
             name_phonetic = %(phonetic)s, attributes = %(attributes)s::jsonb,
             revision = revision + 1, corrected = %(corrected)s::jsonb,
             corrected_at = CASE WHEN %(corrected)s::jsonb IS NOT NULL
                                 THEN %(now)s::timestamptz END,
             sent_issuer = CASE WHEN %(corrected)s::jsonb IS NOT NULL
                                THEN COALESCE(sent_issuer, issuer) END,
             sent_patient_id = CASE WHEN %(corrected)s::jsonb IS NOT NULL
                                    THEN COALESCE(sent_patient_id, patient_id) END
         WHERE uid = %(study)s"""
INSTANCES = """SELECT uid, blob, metadata FROM imaging_instance
               WHERE study_uid = %s AND received_at >= %s AND uid > %s ORDER BY uid LIMIT 500"""
SET_METADATA = "UPDATE imaging_instance SET metadata = %s WHERE uid = %s"
Rows = Sequence[tuple[str, str, bytes]]
SINCE_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Demographics:
    """Whom the pictures show; what is left out stays as it was sent."""

    patient_id: str
    issuer: str = ""
    name: dict[str, str] | None = None
    birth_date: str | None = None
    sex: str | None = None

    def attributes(self) -> Attributes:
        """As DICOM JSON: PatientID and its issuer always, the others when they are given."""
        found: Attributes = {"00100020": {"vr": "LO", "Value": [self.patient_id]}}
        found["00100021"] = {"vr": "LO", "Value": [self.issuer]} if self.issuer else {"vr": "LO"}
        if self.name is not None:
            found["00100010"] = {"vr": "PN", "Value": [self.name]}
        if self.birth_date is not None:
            found["00100030"] = {"vr": "DA", "Value": [self.birth_date]}
        if self.sex is not None:
            found["00100040"] = {"vr": "CS", "Value": [self.sex]}
        return found


async def correct(
    tx: Connection,
    fhir: FhirStore,
    study: str,
    demographics: Demographics,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """From now on the study shows somebody else, or the same person written rightly."""
    resource, owner, _, _, attributes, _ = await held(tx, study, NOW_SHOWN, actor=actor)
    corrected = demographics.attributes()
    merged = _merged(orjson.loads(attributes), corrected)
    await _set(tx, study, merged, corrected, now)
    await apply(tx, study, corrected, since=SINCE_EVER)
    await _relink(tx, fhir, (study, resource, owner), merged, now)
    await _audit(tx, "dicom.correct-patient", resource, actor, now)


async def undo(
    tx: Connection, fhir: FhirStore, blobs: Blobs, study: str, *, actor: Actor, now: datetime
) -> None:
    """As it was sent, read again from the objects themselves."""
    resource, owner, _, _, attributes, is_corrected = await held(tx, study, NOW_SHOWN, actor=actor)
    if not is_corrected:
        raise NotFound("imaging.not-corrected", study=study)
    sent: Attributes = {}
    async for rows in _instances(tx, study, SINCE_EVER):
        for uid, blob, _ in rows:
            instance = receive(await blobs.get(blob)).instance
            sent = sent or instance.study
            await tx.execute(SET_METADATA, (instance.metadata, uid))
    others = {tag: each for tag, each in orjson.loads(attributes).items() if tag[:4] != "0010"}
    patient = {tag: each for tag, each in sent.items() if tag[:4] == "0010"}
    await _set(tx, study, others | patient, None, now)
    await _relink(tx, fhir, (study, resource, owner), others | patient, now)
    await _audit(tx, "dicom.undo-correction", resource, actor, now)


async def apply(tx: Connection, study: str, corrected: Attributes, *, since: datetime) -> None:
    """Put the corrected attributes into the metadata of instances that came since."""
    async for rows in _instances(tx, study, since):
        for uid, _, metadata in rows:
            merged = _merged(orjson.loads(metadata), corrected)
            content = orjson.dumps(merged, option=orjson.OPT_SORT_KEYS)
            await tx.execute(SET_METADATA, (content, uid))


async def _instances(tx: Connection, study: str, since: datetime) -> AsyncIterator[Rows]:
    last = ""
    while rows := await _page(tx, study, since, last):
        yield rows
        last = rows[-1][0]


async def _page(tx: Connection, study: str, since: datetime, last: str) -> Rows:
    return await (await tx.execute(INSTANCES, (study, since, last))).fetchall()


def _merged(attributes: Attributes, corrected: Attributes) -> Attributes:
    # The qualifiers say who issued the number that is gone.
    kept = {tag: each for tag, each in attributes.items() if tag != "00100024"}
    return kept | corrected


async def _set(
    tx: Connection,
    study: str,
    attributes: Attributes,
    corrected: Attributes | None,
    now: datetime,
) -> None:
    groups = name_groups(attributes, "00100010")
    row = {
        "study": study,
        "issuer": issuer_of(attributes),
        "patient_id": first_text(attributes, "00100020"),
        "alphabetic": groups[0],
        "ideographic": groups[1],
        "phonetic": groups[2],
        "attributes": orjson.dumps(attributes).decode(),
        "corrected": orjson.dumps(corrected).decode() if corrected else None,
        "now": now,
    }
    await tx.execute(SET, row)


async def _relink(
    tx: Connection,
    fhir: FhirStore,
    place: tuple[str, str, str | None],
    attributes: Attributes,
    now: datetime,
) -> None:
    """The ImagingStudy of the right patient: the record of the number, or the number itself."""
    study, resource, owner = place
    key = PatientKey(issuer_of(attributes), first_text(attributes, "00100020"))
    facts = StudyFacts(study, key, attributes, ())
    patient = await matching_patient(tx, owner, key, attributes)
    subject = (
        imaging_study.subject_by_reference(patient, facts)
        if patient
        else imaging_study.subject_by_number(facts)
    )
    current = await fhir.read(tx, "ImagingStudy", resource, actor=serai_itself)
    if current.data["subject"] != subject:
        changed = body.of({**current.data, "subject": subject})
        await fhir.update(tx, changed, actor=serai_itself, now=now)


async def _audit(tx: Connection, act: str, resource: str, actor: Actor, now: datetime) -> None:
    await audit.record(tx, actor=actor, act=act, at=now, resource=f"ImagingStudy/{resource}")
