"""Results into the archive and the record: objects first, under UIDs that a second try repeats,
then Observation, Provenance and state in one transaction."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.fhir.stored import Stored
from serai.imaging.analysis import observation, records
from serai.imaging.analysis.box import Answer
from serai.imaging.analysis.records import Analysis
from serai.imaging.archive import Archive, Received, receive
from serai.kernel.actor import Actor, Kind, serai_itself
from serai.kernel.errors import Malformed, NotFound, SeraiError, Unavailable
from serai.platform import audit
from serai.platform.db import Connection, Database

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
# What may come out of a box: file, SOP class, and which of the UIDs it must have.
MADE = {
    "report.dcm": (COMPREHENSIVE_3D_SR, "report"),
    "segmentation.dcm": (SEGMENTATION, "segmentation"),
}
ROLES = ("report", "report-series", "segmentation", "segmentation-series", "tracking", "device")
# An earlier try got so far and no farther.
STORED_BEFORE = "imaging.instance-differs"


def uids(analysis: Analysis) -> dict[str, str]:
    """The same for the same analysis: a second try makes the same objects."""
    return {role: _uid(_about(analysis, role)) for role in ROLES}


def analyser_as_actor(analysis: Analysis) -> Actor:
    """Whoever keeps the study keeps what is found in it."""
    return Actor(
        id=f"analyser:{analysis.analyser}",
        kind=Kind.MACHINE,
        name=f"{analysis.title} {analysis.revision}",
        role="analyser",
        organisation=analysis.owner,
        scopes=frozenset({"system/*.cru"}),
    )


async def keep(
    db: Database,
    archive: Archive,
    analysis: Analysis,
    answer: Answer,
    folder: Path,
    *,
    now: datetime,
) -> Answer | None:
    """None when the analysis is over; else why its result could not be taken."""
    if answer.state not in ("done", "abstained"):
        return Answer("failed", "analysis.result-unreadable")
    try:
        objects = await _stored(db, archive, analysis, answer, folder, now)
    except Unavailable:
        raise
    except SeraiError as error:
        return Answer("failed", "analysis.result-refused", {"key": error.key})
    result = {"figures": answer.figures, "findings": answer.findings}
    found = replace(analysis, result=result, isolation=answer.isolation, objects=objects)
    async with db.transaction() as tx:
        if answer.state == "done" and objects:
            found = await _observed(tx, archive.fhir, found, now)
        else:
            await _withdraw(tx, archive.fhir, found, now)
        await records.end(tx, found, answer.state, now=now, why=answer.why, details=answer.details)
        await audit.record(
            tx,
            actor=analyser_as_actor(analysis),
            act="imaging.analyse",
            at=now,
            resource=f"ImagingStudy/{analysis.resource}",
            outcome="success" if answer.state == "done" else "abstained",
        )
    return None


async def give_up(db: Database, analysis: Analysis, answer: Answer, *, now: datetime) -> None:
    async with db.transaction() as tx:
        found = replace(analysis, isolation=answer.isolation)
        await records.end(tx, found, "failed", now=now, why=answer.why, details=answer.details)


async def _stored(
    db: Database,
    archive: Archive,
    analysis: Analysis,
    answer: Answer,
    folder: Path,
    now: datetime,
) -> list[str]:
    received = [await asyncio.to_thread(_read, folder, name, analysis) for name in answer.objects]
    if received:
        intake = archive.intake(db, analyser_as_actor(analysis))
        for outcome in await intake.keep(received, now=now):
            if outcome.error and outcome.error.key != STORED_BEFORE:
                raise outcome.error
        await intake.finish(now=now)
    return [each.instance.uid for each in received]


def _read(folder: Path, name: str, analysis: Analysis) -> Received:
    """An object as it may leave the box: of this study, and what it was asked to be."""
    if name not in MADE:
        raise Malformed("dicom.not-part10")
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise Malformed("dicom.not-part10")
    sop_class, role = MADE[name]
    received = receive(path)
    instance, expected = received.instance, uids(analysis)
    places = (instance.study_uid, instance.series_uid, instance.uid, instance.sop_class)
    if places != (analysis.study, expected[f"{role}-series"], expected[role], sop_class):
        raise Malformed("dicom.invalid-uid", attribute="SOPInstanceUID")
    return received


async def _observed(tx: Connection, fhir: FhirStore, analysis: Analysis, now: datetime) -> Analysis:
    """One Observation for each series and analyser: a newer look is its next version, unless
    somebody has signed it meanwhile."""
    actor = analyser_as_actor(analysis)
    study = await fhir.read(tx, "ImagingStudy", analysis.resource, actor=serai_itself)
    new = observation.observation(analysis, study.data, now)
    current = await _preliminary(tx, fhir, analysis, actor)
    if current is None:
        made = await fhir.create(tx, body.of(new), actor=actor, now=now)
    else:
        made = await fhir.update(tx, body.of({**new, "id": current.id}), actor=actor, now=now)
    about = observation.provenance(analysis, made.id, made.version, now)
    await fhir.create(tx, body.of(about), actor=actor, now=now)
    return replace(analysis, observation=made.id)


async def _withdraw(tx: Connection, fhir: FhirStore, analysis: Analysis, now: datetime) -> None:
    actor = analyser_as_actor(analysis)
    current = await _preliminary(tx, fhir, analysis, actor)
    if current is not None and current.data["status"] == "preliminary":
        changed = observation.withdrawn(current.data)
        await fhir.update(tx, body.of(changed), actor=actor, now=now)


async def _preliminary(
    tx: Connection, fhir: FhirStore, analysis: Analysis, actor: Actor
) -> Stored | None:
    """What an earlier look has left and nobody has signed."""
    if analysis.observation is None:
        return None
    try:
        found = await fhir.read_to_change(tx, "Observation", analysis.observation, actor=actor)
    except NotFound:
        return None
    return found if found.data.get("status") in ("preliminary", "cancelled") else None


def _about(analysis: Analysis, role: str) -> str:
    # One device per analyser and revision; everything else belongs to this look.
    whose = f"{analysis.analyser} {analysis.fingerprint}" if role == "device" else analysis.id
    return f"{role} {whose}"


def _uid(text: str) -> str:
    """A UID under the UUID-derived root (PS3.5 §B.2)."""
    number = bytearray(hashlib.sha256(text.encode()).digest()[:16])
    number[6] = number[6] & 0x0F | 0x80
    number[8] = number[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(number, 'big')}"
