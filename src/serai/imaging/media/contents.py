"""What goes onto the media: the objects of studies in order, their names, and the directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from serai.imaging.archive.content import buffer_of
from serai.imaging.dataset.hiding import Hiding
from serai.imaging.dataset.model_json import Attributes
from serai.imaging.media.directory import Leaf, Record, record, written
from serai.imaging.media.kinds import kind_of
from serai.imaging.search.rows import visible
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound
from serai.platform import audit
from serai.platform.blobs import Blobs
from serai.platform.db import Connection, Database

FOLDER = "DICOM"
CHUNK = 1 << 20
# As a person would leaf through them.
ORDER = "e.number NULLS LAST, e.uid, i.number NULLS LAST, i.uid"
OBJECTS = f"""SELECT s.uid, s.resource, s.patient_id, s.issuer, s.owner, e.uid, i.uid,
                     i.sop_class, i.transfer_syntax, i.frames, i.blob, i.size, i.metadata
    FROM imaging_study s
    JOIN imaging_series e ON e.study_uid = s.uid
    JOIN imaging_instance i ON i.study_uid = e.study_uid AND i.series_uid = e.uid
    WHERE s.uid = ANY(%(studies)s) AND {{visible}}
    ORDER BY s.patient_id, s.issuer, s.owner, s.study_date NULLS LAST, s.uid, {ORDER}"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class File:
    """One object under the name it has on the media; names follow PS3.10 §8.2."""

    file_id: tuple[str, ...]
    transfer_syntax: str
    blob: str
    size: int

    @property
    def path(self) -> str:
        return "/".join(self.file_id)


@dataclass(slots=True)
class Contents:
    """The objects of one or more studies; `left_out` could not be given without the name."""

    files: list[File] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    patients: list[Record] = field(default_factory=list)
    left_out: int = 0
    hiding: Hiding | None = None

    def directory(self) -> bytes:
        return written(self.patients)

    async def pieces(self, blobs: Blobs, file: File) -> AsyncIterator[bytes]:
        """The object as stored, bit for bit; without its patient where that is hidden."""
        if self.hiding is None:
            async for part in blobs.stream(file.blob):
                yield part
            return
        with buffer_of(blobs.local(file.blob) or await blobs.get(file.blob)) as buffer:
            for written in await asyncio.to_thread(self.hiding.file, buffer):
                if isinstance(written, bytes):
                    yield written
                    continue
                for start in range(written.start, written.stop, CHUNK):
                    yield bytes(buffer[start : min(start + CHUNK, written.stop)])


@dataclass(slots=True)
class _Places:
    """How far the numbering has come: patients, studies, series, instances."""

    names: list[Any] = field(default_factory=lambda: [None] * 3)
    counts: list[int] = field(default_factory=lambda: [0] * 4)

    def move(self, level: int, name: Any) -> bool:
        """Whether a new thing of this level begins."""
        if self.names[level] == name:
            return False
        self.names[level:] = [name, *[None] * (2 - level)]
        self.counts[level] += 1
        self.counts[level + 1 :] = [0] * (3 - level)
        return True

    def file_id(self) -> tuple[str, ...]:
        numbers = zip(("PT", "ST", "SE", "IM"), self.counts, strict=True)
        return (FOLDER, *(f"{letters}{number:06}" for letters, number in numbers))


async def gathered(
    db: Database,
    studies: Sequence[str],
    *,
    actor: Actor,
    now: datetime,
    hiding: Hiding | None = None,
) -> Contents:
    """The studies the actor asks for, with an audit line for each that leaves the house.

    NotFound when one of them is not to be seen.
    """
    async with db.transaction() as tx:
        contents = await _found(tx, studies, actor, hiding)
        for resource in contents.resources:
            about = f"ImagingStudy/{resource}"
            await audit.record(tx, actor=actor, act="dicom.export", at=now, resource=about)
    return contents


async def _found(
    tx: Connection, studies: Sequence[str], actor: Actor, hiding: Hiding | None
) -> Contents:
    seen, values = visible(actor)
    contents, places, met = Contents(hiding=hiding), _Places(), set()
    async with tx.cursor(binary=True) as cursor:
        statement = OBJECTS.format(visible=seen).encode()
        async for row in cursor.stream(statement, {"studies": list(studies), **values}):
            met.add(row[0])
            _add(contents, places, row)
    if not met or met != set(studies):
        raise NotFound("wado.nothing-there")
    return contents


def _add(contents: Contents, places: _Places, row: Sequence[Any]) -> None:
    study, resource, number, issuer, owner, series, uid, sop_class, syntax, frames, *stored = row
    blob, size, metadata = stored
    attributes: Attributes = orjson.loads(metadata)
    if contents.hiding:
        if contents.hiding.withholds(sop_class):
            contents.left_out += 1
            return
        attributes = contents.hiding.attributes(attributes)
    under = contents.patients
    things = (("PATIENT", (number, issuer, owner)), ("STUDY", study), ("SERIES", series))
    for level, (kind, name) in enumerate(things):
        if places.move(level, name):
            under.append(record(kind, attributes, places.counts[level]))
            contents.resources += [resource] if kind == "STUDY" else []
        under = under[-1].below
    places.counts[3] += 1
    file = File(places.file_id(), syntax, blob, size)
    contents.files.append(file)
    leaf = Leaf(file.file_id, sop_class, uid, syntax)
    kind = kind_of(sop_class, pictures=frames > 0)
    under.append(record(kind, attributes, places.counts[3], leaf))
