"""Recordings in the archive, as far as the actor may see them, and the patient's earlier ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from serai.fhir import visibility
from serai.imaging.archive.imaging_study import shown_name
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.ecg.waveform import SOP_CLASSES
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden, NotFound, TooLarge
from serai.platform import audit
from serai.platform.blobs import Blobs
from serai.platform.db import Connection, Database

COLUMNS = """s.uid, i.uid, i.blob, i.size, s.resource, s.attributes::text, r.patients"""
RECORDED = """FROM fhir_resource r
    JOIN imaging_study s ON s.resource = r.id
    JOIN imaging_instance i ON i.study_uid = s.uid
    WHERE r.type = 'ImagingStudy' AND NOT r.deleted AND i.sop_class = ANY(%(classes)s)
      AND {visible}"""
OF_STUDY = f"""SELECT {COLUMNS} {RECORDED} AND s.uid = %(study)s
    ORDER BY i.number NULLS LAST, i.uid LIMIT 200"""
# Of one patient record; a study that is linked to none has no others.
OTHERS = f"""SELECT {COLUMNS} {RECORDED} AND r.patients @> ARRAY[%(patient)s]
    ORDER BY s.study_date DESC NULLS LAST, s.study_time DESC, i.uid LIMIT 50"""
# An hour of twelve leads at 1000 Hz; what is longer is no sheet of paper.
LARGEST = 96 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recording:
    """One waveform object and whom it shows."""

    study: str
    instance: str
    blob: str
    size: int
    resource: str
    attributes: Attributes
    patients: tuple[str, ...]

    @property
    def patient(self) -> str:
        """The id of the patient record, empty while the study is linked to none."""
        return self.patients[0] if len(self.patients) == 1 else ""

    @property
    def name(self) -> str:
        return shown_name(self.attributes)

    @property
    def number(self) -> str:
        return first_text(self.attributes, "00100020")

    @property
    def born(self) -> str:
        return _day(first_text(self.attributes, "00100030"))

    @property
    def day(self) -> str:
        return _day(first_text(self.attributes, "00080020"))

    @property
    def clock(self) -> str:
        text = first_text(self.attributes, "00080030")
        return f"{text[:2]}:{text[2:4]}" if text[:4].isdigit() and len(text) >= 4 else ""


@dataclass(frozen=True, slots=True)
class Opened:
    """The recording asked for, those beside it in its study, and the patient's others."""

    chosen: Recording
    beside: tuple[Recording, ...]
    others: tuple[Recording, ...]

    def other(self, instance: str) -> Recording:
        """One to compare with; what is not in the list is not there for this reader."""
        for each in (*self.others, *self.beside):
            if each.instance == instance and each != self.chosen:
                return each
        raise NotFound("ecg.not-found")


async def find(
    db: Database, study: str, instance: str, *, act: str, actor: Actor, now: datetime
) -> Opened:
    """Look a recording up, and write down that somebody did."""
    if not actor.may("r", "ImagingStudy"):
        raise Forbidden("imaging.scope", interaction="r")
    async with db.transaction() as tx:
        beside = await _rows(tx, OF_STUDY, actor, study=study)
        chosen = next((each for each in beside if instance in ("", each.instance)), None)
        if chosen is None:
            raise NotFound("ecg.not-found")
        others: list[Recording] = []
        if chosen.patient:
            others = await _rows(tx, OTHERS, actor, patient=chosen.patient)
        await audit.record(
            tx,
            actor=actor,
            act=act,
            at=now,
            resource=f"ImagingStudy/{chosen.resource}",
            patients=chosen.patients,
        )
    apart = tuple(each for each in others if each.study != study)
    return Opened(chosen, tuple(beside), apart)


async def content(blobs: Blobs, recording: Recording) -> bytes:
    """The object as stored."""
    if recording.size > LARGEST:
        raise TooLarge("ecg.too-long")
    return await blobs.get(recording.blob)


async def _rows(tx: Connection, statement: str, actor: Actor, **wanted: str) -> list[Recording]:
    visible, values = visibility.clause(actor, "r")
    bound: dict[str, Any] = {"classes": list(SOP_CLASSES), **wanted, **values}
    rows = await (await tx.execute(statement.format(visible=visible).encode(), bound)).fetchall()
    return [
        Recording(uid, instance, blob, size, resource, orjson.loads(text), tuple(patients or ()))
        for uid, instance, blob, size, resource, text, patients in rows
    ]


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 and text.isdigit() else ""
