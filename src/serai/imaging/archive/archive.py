"""The archive as other rooms see it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import orjson
import structlog

from serai.fhir import body, visibility
from serai.fhir.store import Change, FhirStore
from serai.imaging.archive import imaging_study, reconciling, settling
from serai.imaging.archive.intake import Intake
from serai.imaging.archive.reconciling import Demographics
from serai.imaging.archive.trash import Trash
from serai.imaging.archive.views import Views
from serai.imaging.dataset.model_json import first_text
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, NotFound
from serai.platform.blobs import Blobs
from serai.platform.db import Connection, Database

log = structlog.get_logger(__name__)

# A sender that has been silent for longer has finished or is gone.
QUIET = timedelta(seconds=60)

COUNTED = """CASE WHEN s.settled THEN s.instances ELSE
                 (SELECT count(*) FROM imaging_instance i WHERE i.study_uid = s.uid) END,
             CASE WHEN s.settled THEN s.series ELSE
                 (SELECT count(*) FROM imaging_series e WHERE e.study_uid = s.uid) END"""
OF_PATIENT = f"""SELECT s.uid, s.resource, s.study_date, s.modalities, s.attributes::text,
                        {COUNTED}
                 FROM fhir_resource r JOIN imaging_study s ON s.resource = r.id
                 WHERE r.type = 'ImagingStudy' AND NOT r.deleted
                   AND r.patients @> ARRAY[%(patient)s] AND {{visible}}
                 ORDER BY s.study_date DESC NULLS LAST, s.uid"""  # noqa: S608
RESOURCE_OF = "SELECT resource FROM imaging_study WHERE uid = %s"
STUDY_OF = "SELECT uid FROM imaging_study WHERE resource = %s"


@dataclass(frozen=True, slots=True)
class StudySummary:
    """One line of a patient's list of studies; `resource` is the ImagingStudy's id."""

    uid: str
    resource: str
    date: date | None
    modalities: tuple[str, ...]
    description: str
    instances: int
    series: int


class Archive:
    """One per process; keeps, finds and links studies."""

    def __init__(self, fhir: FhirStore, blobs: Blobs, cold: Blobs | None = None) -> None:
        self.fhir = fhir
        self.blobs = blobs
        self.cold = cold
        self.trash = Trash(fhir, blobs, cold)
        self.views = Views()
        fhir.guard("ImagingStudy", _keep_what_shows_pictures)

    def intake(self, db: Database, actor: Actor) -> Intake:
        """A door for one sender; `finish` it when the sender has."""
        return Intake(db, self.blobs, self.fhir, actor)

    async def settle_left(self, db: Database, *, now: datetime) -> int:
        """Settle studies a crash left growing; at start, and now and then."""
        return await settling.settle_left(db, self.fhir, before=now - QUIET, now=now)

    async def restore(self) -> int:
        """Write again what a crash took of objects already acknowledged; before serving."""
        restored = await asyncio.to_thread(self.blobs.replay_log)
        if restored:
            log.warning("imaging.restored", objects=restored)
        return restored

    async def attach(
        self, tx: Connection, study_uid: str, patient_id: str, *, actor: Actor, now: datetime
    ) -> None:
        """Link a study to a patient record; both must be visible to the actor."""
        row = await (await tx.execute(RESOURCE_OF, (study_uid,))).fetchone()
        if row is None:
            raise NotFound("imaging.no-such-study", study=study_uid)
        study = await self.fhir.read(tx, "ImagingStudy", row[0], actor=actor)
        await self.fhir.read(tx, "Patient", patient_id, actor=actor)
        subject = {"reference": f"Patient/{patient_id}"}
        display = study.data["subject"].get("display")
        linked = {**study.data, "subject": subject | ({"display": display} if display else {})}
        if linked != study.data:
            await self.fhir.update(tx, body.of(linked), actor=actor, now=now)

    async def correct(
        self, tx: Connection, study_uid: str, right: Demographics, *, actor: Actor, now: datetime
    ) -> None:
        """Whom a study shows, set right; the objects stay as they were sent."""
        await reconciling.correct(tx, self.fhir, study_uid, right, actor=actor, now=now)

    async def undo_correction(
        self, tx: Connection, study_uid: str, *, actor: Actor, now: datetime
    ) -> None:
        await reconciling.undo(tx, self.fhir, self.blobs, study_uid, actor=actor, now=now)

    async def studies_for_patient(
        self, connection: Connection, patient_id: str, *, actor: Actor
    ) -> Sequence[StudySummary]:
        """Studies linked to a patient that the actor may see, newest first."""
        visible, values = visibility.clause(actor, "r")
        statement = OF_PATIENT.format(visible=visible)
        rows = await (
            await connection.execute(statement.encode(), {"patient": patient_id, **values})
        ).fetchall()
        return [_summary(*row) for row in rows]


def _summary(
    uid: str,
    resource: str,
    day: date | None,
    modalities: list[str],
    attributes: str,
    instances: int,
    series: int,
) -> StudySummary:
    description = first_text(orjson.loads(attributes), "00081030")
    return StudySummary(uid, resource, day, tuple(modalities), description, instances, series)


async def _keep_what_shows_pictures(tx: Connection, change: Change) -> bool:
    """The resource decides who sees the pictures, so it stays while they do, and stays theirs."""
    if change.old is None:
        return False
    uid = await (await tx.execute(STUDY_OF, (change.id,))).fetchone()
    if uid is None:
        return False
    if change.new is None:
        raise Conflict("imaging.study-has-pictures", study=uid[0])
    expected = {"system": imaging_study.DICOM_UID, "value": f"urn:oid:{uid[0]}"}
    if expected not in change.new.get("identifier", []):
        raise Conflict("imaging.study-uid-changed", study=uid[0])
    return False
