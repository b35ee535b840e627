"""A study's series and documents from the index, as far as the actor may see them."""

from __future__ import annotations

from typing import Any, Final

import orjson

from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.documents import classes
from serai.imaging.search.rows import visible
from serai.imaging.study.model import Film, Place, Series
from serai.imaging.video import is_video
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound
from serai.platform.db import Connection

ADDRESSED: Final = """FROM imaging_study s
    JOIN imaging_series e ON e.study_uid = s.uid
    JOIN imaging_instance i ON i.study_uid = e.study_uid AND i.series_uid = e.uid
    WHERE s.uid = %(study)s AND {visible}"""
STUDY: Final = """SELECT s.resource, s.study_date, s.modalities, s.attributes::text
    FROM imaging_study s WHERE s.uid = %(study)s AND {visible}"""
IN_ORDER: Final = "ORDER BY i.number NULLS LAST, i.uid"
SERIES: Final = f"""SELECT e.uid, e.modality, e.number, e.attributes::text, count(*),
        sum(i.frames)::integer,
        (array_agg(i.uid {IN_ORDER}) FILTER (WHERE i.frames > 0))
            [count(*) FILTER (WHERE i.frames > 0) / 2 + 1],
        (array_agg(i.uid {IN_ORDER}) FILTER (WHERE i.frames > 1))[1]
    {ADDRESSED} GROUP BY e.study_uid, e.uid ORDER BY e.number NULLS LAST, e.uid"""
DOCUMENTS: Final = f"""SELECT e.uid, i.uid, i.sop_class, i.metadata
    {ADDRESSED} AND i.sop_class = ANY(%(classes)s) AND length(i.metadata) <= %(largest)s
    ORDER BY e.number NULLS LAST, e.uid, i.number NULLS LAST, i.uid LIMIT %(most)s"""
EXPOSED: Final = f"""SELECT e.uid, i.uid, i.metadata
    {ADDRESSED} AND e.modality = ANY(%(modalities)s) AND i.frames > 0
    ORDER BY e.number NULLS LAST, e.uid, i.number NULLS LAST, i.uid LIMIT %(most)s"""
FILM: Final = f"""SELECT i.frames, i.transfer_syntax, i.metadata
    {ADDRESSED} AND e.uid = %(series)s AND i.uid = %(instance)s"""
SIBLINGS: Final = f"""SELECT i.uid
    {ADDRESSED} AND e.uid = %(series)s AND i.frames > 1 {IN_ORDER} LIMIT 500"""
# Read on the page; more are found in the list of series.
MOST_DOCUMENTS = 100
LARGEST_DOCUMENT = 4 * 1024 * 1024
MOST_EXPOSED = 60
READ: Final = sorted(classes.DOCUMENTS | classes.PRESENTATION_STATES)
PROJECTION: Final = ["CR", "DX", "IO", "MG", "PX", "RF", "XA"]
FRAME_TIME, FRAME_TIMES, CINE_RATE, DISPLAY_RATE = "00181063", "00181065", "00180040", "00082144"
USUAL_MS = 40.0
LONGEST_MS = 10_000.0

StudyRow = tuple[str, Any, list[str], Attributes]


async def study_row(connection: Connection, uid: str, *, actor: Actor) -> StudyRow:
    rows = await _rows(connection, STUDY, actor, study=uid)
    if not rows:
        raise NotFound("imaging.no-such-study")
    resource, day, modalities, attributes = rows[0]
    return resource, day, modalities, orjson.loads(attributes)


async def series_of(connection: Connection, uid: str, *, actor: Actor) -> list[Series]:
    return [_series(row) for row in await _rows(connection, SERIES, actor, study=uid)]


async def documents_of(
    connection: Connection, uid: str, *, actor: Actor
) -> list[tuple[Place, str, bytes]]:
    """One more than the page reads, to know whether there is more."""
    rows = await _rows(
        connection,
        DOCUMENTS,
        actor,
        study=uid,
        classes=READ,
        largest=LARGEST_DOCUMENT,
        most=MOST_DOCUMENTS + 1,
    )
    return [(Place(series, instance), kind, data) for series, instance, kind, data in rows]


async def exposed_of(
    connection: Connection, uid: str, *, actor: Actor
) -> list[tuple[Place, bytes]]:
    """Projection images, which say their own dose when no report does."""
    values = {"study": uid, "modalities": PROJECTION, "most": MOST_EXPOSED}
    rows = await _rows(connection, EXPOSED, actor, **values)
    return [(Place(series, instance), data) for series, instance, data in rows]


async def film_of(connection: Connection, uid: str, place: Place, *, actor: Actor) -> Film:
    values = {"study": uid, "series": place.series, "instance": place.instance}
    rows = await _rows(connection, FILM, actor, **values)
    if not rows or not rows[0][0]:
        raise NotFound("imaging.no-such-study")
    frames, syntax, metadata = rows[0]
    attributes: Attributes = orjson.loads(metadata)
    siblings = await _rows(connection, SIBLINGS, actor, **values)
    return Film(
        place=place,
        video=is_video(syntax),
        frames=frames,
        times_ms=times_of(attributes, frames),
        rows=_integer(attributes, "00280010"),
        columns=_integer(attributes, "00280011"),
        siblings=tuple(Place(place.series, each) for (each,) in siblings),
    )


def times_of(attributes: Attributes, frames: int) -> tuple[float, ...]:
    """How long each frame stands, in ms: one time for all, or one for each (PS3.3 §C.7.6.5)."""
    vector = [_time(each) for each in attributes.get(FRAME_TIMES, {}).get("Value") or []]
    if len(vector) == frames and frames > 1 and all(vector[1:]):
        # Each time is that since the frame before; the first of them is none.
        return (*(each or USUAL_MS for each in vector[1:]), vector[-1] or USUAL_MS)
    for tag in (FRAME_TIME, CINE_RATE, DISPLAY_RATE):
        value = _time(first_text(attributes, tag))
        if value:
            time = value if tag == FRAME_TIME else 1000 / value
            return (min(time, LONGEST_MS),)
    return (USUAL_MS,)


def _time(written: object) -> float | None:
    try:
        value = float(str(written))
    except ValueError:
        return None
    return value if 0 < value <= LONGEST_MS else None


def _integer(attributes: Attributes, tag: str) -> int:
    text = first_text(attributes, tag)
    return int(text) if text.isdigit() else 0


def _series(row: tuple[Any, ...]) -> Series:
    uid, modality, number, attributes, instances, frames, picture, film = row
    described: Attributes = orjson.loads(attributes)
    return Series(
        uid=uid,
        modality=modality,
        number=number,
        description=first_text(described, "0008103E"),
        body_part=first_text(described, "00180015"),
        instances=instances,
        frames=frames,
        picture=picture or "",
        film=film or "",
    )


async def _rows(
    connection: Connection, statement: str, actor: Actor, **values: object
) -> list[tuple[Any, ...]]:
    seen, more = visible(actor)
    sql = statement.format(visible=seen)
    return await (await connection.execute(sql.encode(), {**values, **more})).fetchall()
