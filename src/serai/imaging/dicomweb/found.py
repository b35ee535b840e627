"""Instances addressed by a WADO-RS path, as far as the actor may see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from serai.imaging.dicomweb.answers import may
from serai.imaging.search.rows import visible
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound

# In the order a person would leaf through them.
ORDER = "e.number NULLS LAST, e.uid, i.number NULLS LAST, i.uid"
ADDRESSED = """FROM imaging_study s
    JOIN imaging_series e ON e.study_uid = s.uid
    JOIN imaging_instance i ON i.study_uid = e.study_uid AND i.series_uid = e.uid
    WHERE s.uid = %(study)s AND {levels} AND {visible}"""
WITH_SERIES = "e.uid = %(series)s"
WITH_INSTANCE = "e.uid = %(series)s AND i.uid = %(instance)s"
BLOBS = f"SELECT e.uid, i.uid, i.blob, i.size, i.transfer_syntax {ADDRESSED} ORDER BY {ORDER}"
METADATA = f"SELECT i.metadata {ADDRESSED} ORDER BY {ORDER}"
# Of the frame table only the places of the frames asked for: PostgreSQL reads just those pages.
FRAMES = f"""SELECT i.blob, i.size, i.transfer_syntax, i.frames, i.pixels_start, i.pixels_length,
                    i.frame_bits, substring(i.frame_table FROM %(first)s * 16 + 1
                                            FOR (%(last)s - %(first)s + 1) * 16)
             {ADDRESSED}"""  # noqa: S608 - only our own constants


@dataclass(frozen=True, slots=True)
class Blob:
    """One instance's bytes and how they are encoded."""

    series: str
    instance: str
    blob: str
    size: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Frames:
    """Where the frames asked for lie; `table` holds only theirs, from `first` on."""

    first: int
    blob: str
    size: int
    transfer_syntax: str
    frames: int
    start: int
    length: int
    frame_bits: int | None
    table: bytes | None


async def blobs(request: Request) -> list[Blob]:
    rows = await _rows(request, BLOBS, may(request, "r"))
    return [Blob(*row) for row in rows]


async def metadata(request: Request) -> list[bytes]:
    return [content for (content,) in await _rows(request, METADATA, may(request, "r"))]


async def frames(request: Request, first: int, last: int) -> Frames:
    """`first` and `last` count from 0."""
    extra = {"first": min(first, 1 << 26), "last": min(last, 1 << 26)}
    row = (await _rows(request, FRAMES, may(request, "r"), **extra))[0]
    if row[4] is None:
        raise NotFound("wado.no-pixel-data")
    return Frames(first, *row)


async def _rows(
    request: Request, statement: str, actor: Actor, **extra: int
) -> list[tuple[Any, ...]]:
    path = request.path_params
    levels = WITH_INSTANCE if "instance" in path else WITH_SERIES if "series" in path else "TRUE"
    seen, values = visible(actor)
    sql = statement.format(levels=levels, visible=seen)
    addressed = {name: path.get(name, "") for name in ("study", "series", "instance")}
    async with (
        request.app.state.db.connection() as connection,
        connection.cursor(binary=True) as cursor,
    ):
        await cursor.execute(sql.encode(), {**addressed, **values, **extra})
        rows: list[tuple[Any, ...]] = await cursor.fetchall()
    if not rows:
        raise NotFound("wado.nothing-there")
    return rows
