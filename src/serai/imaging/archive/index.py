"""The archive's tables: what is there already, and new rows for what arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson

from serai.imaging.archive import letting_go
from serai.imaging.archive.content import Received
from serai.imaging.archive.header import Instance, PatientKey
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.dataset.names import fold_group
from serai.platform.db import Connection
from serai.platform.threads import ThreadConnection

# A sender goes on naming the patient as before, whatever people have corrected since.
STUDIES = """SELECT uid, resource, owner, COALESCE(sent_issuer, issuer),
                    COALESCE(sent_patient_id, patient_id)
             FROM imaging_study WHERE uid = ANY(%s)"""
INSTANCES = """SELECT uid, study_uid, series_uid, blob FROM imaging_instance
               WHERE uid = ANY(%s)"""
# In the order of keys, so that two requests that bring the same studies wait for each other
# instead of deadlocking. KEY SHARE holds off `settle`, which must count our rows or come later.
HOLD_STUDIES = """SELECT uid, settled FROM imaging_study WHERE uid = ANY(%s)
                  ORDER BY uid FOR KEY SHARE"""
UNSETTLE = "UPDATE imaging_study SET settled = false WHERE uid = ANY(%s) AND settled"
ADD_STUDY = """INSERT INTO imaging_study
        (uid, resource, owner, issuer, patient_id, name_alphabetic, name_ideographic,
         name_phonetic, study_date, study_time, accession, modalities, instances, series,
         settled, attributes, received_at, bytes)
    VALUES (%(uid)s, %(resource)s, %(owner)s, %(issuer)s, %(patient_id)s, %(alphabetic)s,
            %(ideographic)s, %(phonetic)s, %(study_date)s, %(study_time)s, %(accession)s,
            %(modalities)s, %(instances)s, %(series)s, true, %(attributes)s, %(now)s,
            %(bytes)s)
    ON CONFLICT (uid) DO NOTHING RETURNING uid"""
ADD_SERIES = """INSERT INTO imaging_series (study_uid, uid, modality, number, attributes)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::jsonb[])
    ON CONFLICT (study_uid, uid) DO NOTHING"""
ADD_MODALITIES = """UPDATE imaging_study
    SET modalities = (SELECT array_agg(DISTINCT m ORDER BY m)
                      FROM unnest(modalities || %(found)s::text[]) AS known(m))
    WHERE uid = %(uid)s AND NOT modalities @> %(found)s::text[]"""
ADD_INSTANCES = """INSERT INTO imaging_instance
        (study_uid, series_uid, uid, sop_class, transfer_syntax, number, frames, pixels_start,
         pixels_length, frame_bits, frame_table, blob, size, metadata, received_at)
    SELECT *, %s::timestamptz
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::integer[],
                %s::integer[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bytea[],
                %s::text[], %s::bigint[], %s::bytea[])
    ON CONFLICT DO NOTHING RETURNING uid"""

ADD_EXPECTED = f"""SELECT imaging_add_expected(
    %s::integer, ROW({", ".join(["%s"] * 15)})::imaging_instance)"""


@dataclass(frozen=True, slots=True)
class KnownStudy:
    """Whose study this is and whom it shows."""

    resource: str
    owner: str | None
    patient: PatientKey


@dataclass(frozen=True, slots=True)
class KnownInstance:
    """Where an instance UID is in use already."""

    study_uid: str
    series_uid: str
    blob: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An object and the blob of its bytes, durable by now."""

    received: Received
    blob: str

    @property
    def instance(self) -> Instance:
        return self.received.instance


async def known_studies(connection: Connection, uids: Iterable[str]) -> dict[str, KnownStudy]:
    rows = await (await connection.execute(STUDIES, (sorted(set(uids)),))).fetchall()
    return {uid: KnownStudy(res, owner, PatientKey(i, p)) for uid, res, owner, i, p in rows}


async def known_instances(connection: Connection, uids: Iterable[str]) -> dict[str, KnownInstance]:
    rows = await (await connection.execute(INSTANCES, (sorted(set(uids)),))).fetchall()
    return {uid: KnownInstance(study, series, blob) for uid, study, series, blob in rows}


async def hold_studies(tx: Connection, uids: Sequence[str]) -> None:
    """Keep the studies' rows from being settled until this transaction ends; mark them."""
    rows = await (await tx.execute(HOLD_STUDIES, (sorted(uids),))).fetchall()
    settled = [uid for uid, is_settled in rows if is_settled]
    if settled:
        await tx.execute(UNSETTLE, (settled,))


async def add_study(
    tx: Connection, kept: Sequence[Kept], *, resource: str, owner: str | None, now: datetime
) -> bool:
    """A new study with its first instances; False when somebody else was faster."""
    first = kept[0].instance
    groups = name_groups(first.study, "00100010")
    row = {
        "uid": first.study_uid,
        "resource": resource,
        "owner": owner,
        "issuer": first.patient.issuer,
        "patient_id": first.patient.id,
        "alphabetic": groups[0],
        "ideographic": groups[1],
        "phonetic": groups[2],
        "study_date": as_date(first_text(first.study, "00080020")),
        "study_time": first_text(first.study, "00080030").replace(":", ""),
        "accession": first_text(first.study, "00080050"),
        "modalities": modalities(kept),
        "instances": len(kept),
        "series": len({each.instance.series_uid for each in kept}),
        "attributes": _json(first.study),
        "now": now,
        "bytes": sum(each.received.size for each in kept),
    }
    return await (await tx.execute(ADD_STUDY, row)).fetchone() is not None


async def add_series(tx: Connection, kept: Sequence[Kept]) -> None:
    """Series not seen before; a study learns the modalities they bring."""
    new = {(each.instance.study_uid, each.instance.series_uid): each.instance for each in kept}
    rows = [new[key] for key in sorted(new)]
    cursor = await tx.execute(
        ADD_SERIES,
        (
            [row.study_uid for row in rows],
            [row.series_uid for row in rows],
            [row.modality for row in rows],
            [row.series_number for row in rows],
            [_json(row.series) for row in rows],
        ),
    )
    if cursor.rowcount:
        for uid in sorted({row.study_uid for row in rows}):
            of_study = [each for each in kept if each.instance.study_uid == uid]
            await tx.execute(ADD_MODALITIES, {"uid": uid, "found": modalities(of_study)})


async def add_instances(tx: Connection, kept: Sequence[Kept], now: datetime) -> set[str]:
    """The UIDs that were new; the others were stored by somebody else meanwhile."""
    cursor = await tx.execute(ADD_INSTANCES, _columns(kept, now))
    return {uid for (uid,) in await cursor.fetchall()}


def add_expected(connection: ThreadConnection, kept: Kept, now: datetime) -> bool:
    """One more instance of a series that is there; False when the UID is taken,
    ForeignKeyViolation when the series is gone."""
    values = (letting_go.bucket(kept.blob), *_instance_row(kept), now)
    row = connection.execute(ADD_EXPECTED, values, binary=True).fetchone()
    return row is not None and bool(row[0])


def modalities(kept: Iterable[Kept]) -> list[str]:
    return sorted({each.instance.modality for each in kept} - {""})


def name_groups(attributes: Attributes, tag: str) -> tuple[str, str, str]:
    """The three component groups of a person name, folded for comparison."""
    values = attributes.get(tag, {}).get("Value") or [{}]
    name = values[0] if isinstance(values[0], dict) else {}
    return (
        fold_group(name.get("Alphabetic", "")),
        fold_group(name.get("Ideographic", "")),
        fold_group(name.get("Phonetic", "")),
    )


def as_date(text: str) -> date | None:
    """A DA value; `2004.01.19` is what ACR-NEMA wrote (PS3.5 §6.2)."""
    digits = text.replace(".", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def _columns(kept: Sequence[Kept], now: datetime) -> tuple[Any, ...]:
    rows = [_instance_row(each) for each in sorted(kept, key=lambda each: each.instance.uid)]
    return (now, *(list(column) for column in zip(*rows, strict=True)))


def _instance_row(kept: Kept) -> tuple[Any, ...]:
    instance, pixels = kept.instance, kept.instance.pixels
    return (
        instance.study_uid,
        instance.series_uid,
        instance.uid,
        instance.sop_class,
        instance.transfer_syntax,
        instance.number,
        pixels.frames if pixels else 0,
        pixels.start if pixels else None,
        pixels.length if pixels else None,
        pixels.frame_bits if pixels else None,
        pixels.table if pixels else None,
        kept.blob,
        kept.received.size,
        instance.metadata,
    )


def _json(attributes: Attributes) -> str:
    # jsonb refuses U+0000, which only broken values carry.
    return orjson.dumps(attributes).decode().replace("\\u0000", "")
