"""Bringing DICOM files into a patient's record: loose, in folders, or zipped."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from serai.care.chart import records
from serai.care.chart.actions.registering import Charts
from serai.care.chart.model import Attached, Doubt, OnPictures, Person, RefusedFile
from serai.imaging.archive import Intake, Received
from serai.imaging.dataset.model_json import first_text
from serai.imaging.ecg import receive
from serai.imaging.uploads import members
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, Forbidden, SeraiError

BATCH = 16


class Upload(Protocol):
    """A file as the web server hands it over."""

    filename: str | None

    @property
    def file(self) -> BinaryIO: ...


@dataclass
class _Tally:
    kept: int = 0
    already: int = 0
    refused: list[RefusedFile] = field(default_factory=list)
    shown: dict[str, OnPictures] = field(default_factory=dict)

    def refuse(self, name: str, error: SeraiError) -> None:
        self.refused.append(RefusedFile(name, error.key, dict(error.details)))


async def attach_pictures(
    charts: Charts, patient: str, uploads: Sequence[Upload], *, actor: Actor, now: datetime
) -> Attached:
    """Keep every readable object and link its study to the patient; tell what was refused.

    A study whose pictures name somebody else is linked and named as doubtful, for many a
    scanner abbreviates names; one that already belongs to another patient stays there.
    """
    async with charts.db.connection() as c:
        stored = await charts.fhir.read(c, "Patient", patient, actor=actor)
    if stored.owner != actor.organisation:
        raise Forbidden("chart.not-your-patient")
    person = records.to_person(stored.data)
    tally = _Tally()
    intake = charts.archive.intake(charts.db, actor)
    with tempfile.TemporaryDirectory(prefix="serai-upload-") as folder:
        waiting: list[tuple[str, Received]] = []
        async for name, received in _received(uploads, Path(folder), tally):
            waiting.append((name, received))
            if len(waiting) == BATCH:
                await _keep(intake, waiting, tally, now)
                waiting = []
        await _keep(intake, waiting, tally, now)
    await intake.finish(now=now)
    studies = [
        uid for uid in tuple(tally.shown) if await _link(charts, uid, patient, tally, actor, now)
    ]
    return Attached(
        kept=tally.kept,
        already=tally.already,
        studies=tuple(studies),
        refused=tuple(tally.refused),
        doubts=_doubts(tally, person),
    )


async def _link(
    charts: Charts, study_uid: str, patient: str, tally: _Tally, actor: Actor, now: datetime
) -> bool:
    async with charts.db.transaction() as tx:
        found = await charts.fhir.find(
            tx, "ImagingStudy", ("identifier", f"urn:dicom:uid|urn:oid:{study_uid}"), actor=actor
        )
        subject = found[0].get("subject", {}).get("reference", "") if found else ""
        if subject.startswith("Patient/") and subject != f"Patient/{patient}":
            tally.shown.pop(study_uid)
            tally.refuse(study_uid, Conflict("chart.study-of-another-patient"))
            return False
        await charts.archive.attach(tx, study_uid, patient, actor=actor, now=now)
    return True


def _doubts(tally: _Tally, person: Person) -> tuple[Doubt, ...]:
    compared = ((uid, shown, shown.doubts(person)) for uid, shown in tally.shown.items())
    return tuple(Doubt(uid, shown, differs) for uid, shown, differs in compared if differs)


async def _received(
    uploads: Sequence[Upload], folder: Path, tally: _Tally
) -> AsyncIterator[tuple[str, Received]]:
    for upload in uploads:
        name = upload.filename or ""
        try:
            inside = members(name, upload.file, folder)
            while (member := await asyncio.to_thread(next, inside, None)) is not None:
                found, content = member
                try:
                    yield found, await asyncio.to_thread(receive, content)
                except SeraiError as error:
                    tally.refuse(found, error)
                    if isinstance(content, Path):
                        await asyncio.to_thread(content.unlink, missing_ok=True)
        except SeraiError as error:
            tally.refuse(name, error)


async def _keep(
    intake: Intake, waiting: Sequence[tuple[str, Received]], tally: _Tally, now: datetime
) -> None:
    if not waiting:
        return
    outcomes = await intake.keep([received for _, received in waiting], now=now)
    for (name, received), outcome in zip(waiting, outcomes, strict=True):
        if outcome.error:
            tally.refuse(name, outcome.error)
            continue
        tally.already += outcome.already
        tally.kept += not outcome.already
        tally.shown.setdefault(received.instance.study_uid, _shown(received))
        if isinstance(received.content, Path):
            await asyncio.to_thread(received.content.unlink, missing_ok=True)


def _shown(received: Received) -> OnPictures:
    attributes = received.instance.study
    names = attributes.get("00100010", {}).get("Value") or [{}]
    writings = names[0].values() if isinstance(names[0], dict) else names
    return OnPictures(
        name="=".join(str(writing).replace("^", " ").strip() for writing in writings),
        birth_date=first_text(attributes, "00100030"),
    )
