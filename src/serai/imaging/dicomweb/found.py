"""Instances addressed by a WADO-RS path, as far as the actor may see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from serai.imaging.archive import Archive
from serai.imaging.dicomweb.answers import may
from serai.imaging.search.rows import visible
from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound

# In the order a person would leaf through them.
ORDER = "e.number NULLS LAST, e.uid, i.number NULLS LAST, i.uid"
ADDRESSED = """FROM imaging_study s
    JOIN imaging_series e ON e.study_uid = s.uid
    JOIN imaging_instance i ON i.study_uid = e.study_uid AND i.series_uid = e.uid
    WHERE s.uid = %(study)s AND {levels} AND {visible}"""
WITH_SERIES = "e.uid = %(series)s"
WITH_INSTANCE = "e.uid = %(series)s AND i.uid = %(instance)s"
BLOBS = f"""SELECT e.uid, i.uid, i.blob, i.size, i.transfer_syntax, i.frames
            {ADDRESSED} ORDER BY {ORDER}"""
METADATA = f"SELECT i.metadata {ADDRESSED} ORDER BY {ORDER}"
# Changes whenever the metadata under an address does.
STATE = f"SELECT count(*), max(i.received_at), max(s.revision) {ADDRESSED} HAVING count(*) > 0"
PICTURES = f"SELECT e.uid, i.uid, i.frames {ADDRESSED} AND i.frames > 0 ORDER BY {ORDER}"
# Of the frame table only the places of the frames asked for: PostgreSQL reads just those pages.
FRAMES = f"""SELECT i.blob, i.size, i.transfer_syntax, i.frames, i.pixels_start, i.pixels_length,
                    i.frame_bits, substring(i.frame_table FROM %(first)s * 16 + 1
                                            FOR (%(last)s - %(first)s + 1) * 16)
             {ADDRESSED}"""  # noqa: S608 - only our own constants
DESCRIBED = FRAMES.replace("SELECT ", "SELECT i.metadata, ", 1)
OBJECT = f"""SELECT e.uid, i.uid, i.blob, i.size, i.transfer_syntax, i.frames, i.sop_class,
                    i.metadata, i.pixels_start, i.pixels_length {ADDRESSED}"""
ALL_FRAMES = 1 << 26


@dataclass(frozen=True, slots=True)
class Address:
    """What a path names; empty below the level it ends at."""

    study: str
    series: str = ""
    instance: str = ""

    @classmethod
    def of(cls, request: Request) -> Address:
        path = request.path_params
        return cls(path.get("study", ""), path.get("series", ""), path.get("instance", ""))

    @property
    def levels(self) -> str:
        return WITH_INSTANCE if self.instance else WITH_SERIES if self.series else "TRUE"


@dataclass(frozen=True, slots=True)
class Picture:
    """An instance with pixel data, and how many frames it has."""

    address: Address
    frames: int


@dataclass(frozen=True, slots=True)
class Blob:
    """One instance's bytes and how they are encoded."""

    series: str
    instance: str
    blob: str
    size: int
    transfer_syntax: str
    frames: int


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


@dataclass(frozen=True, slots=True)
class Object:
    """One instance with all that is kept of it; `start` and `length` are its pixel data's."""

    stored: Blob
    sop_class: str
    metadata: bytes
    start: int | None
    length: int | None


async def whole_object(request: Request, address: Address) -> Object:
    row = (await _rows(request, OBJECT, address))[0]
    return Object(Blob(*row[:6]), *row[6:])


async def blobs(request: Request, address: Address | None = None) -> list[Blob]:
    rows = await _rows(request, BLOBS, address or Address.of(request))
    return [Blob(*row) for row in rows]


async def metadata(request: Request) -> list[bytes]:
    return [content for (content,) in await _rows(request, METADATA, Address.of(request))]


async def state(request: Request) -> tuple[Any, ...]:
    """What tells one version of the metadata from the next."""
    return (await _rows(request, STATE, Address.of(request)))[0]


async def pictures(request: Request, address: Address) -> list[Picture]:
    """The instances with pixels, in the order a person would leaf through them."""
    rows = await _rows(request, PICTURES, address)
    return [Picture(Address(address.study, e, i), frames) for e, i, frames in rows]


async def frames(request: Request, first: int, last: int) -> Frames:
    """`first` and `last` count from 0."""
    bounds = {"first": min(first, ALL_FRAMES), "last": min(last, ALL_FRAMES)}
    return _with_pixels(first, (await _rows(request, FRAMES, Address.of(request), **bounds))[0])


async def described_frame(request: Request, address: Address, number: int) -> tuple[bytes, Frames]:
    """The metadata of an instance, and where one of its frames lies."""
    bounds = {"first": min(number, ALL_FRAMES), "last": min(number, ALL_FRAMES)}
    described, *row = (await _rows(request, DESCRIBED, address, **bounds))[0]
    return described, _with_pixels(number, tuple(row))


def _with_pixels(first: int, row: tuple[Any, ...]) -> Frames:
    if row[4] is None:
        raise NotFound("wado.no-pixel-data")
    return Frames(first, *row)


async def _rows(
    request: Request, statement: str, address: Address, **extra: int
) -> list[tuple[Any, ...]]:
    seen, values = visible(may(request, "r"))
    sql = statement.format(levels=address.levels, visible=seen)
    addressed = {name: getattr(address, name) for name in ("study", "series", "instance")}
    async with (
        request.app.state.db.connection() as connection,
        connection.cursor(binary=True) as cursor,
    ):
        await cursor.execute(sql.encode(), {**addressed, **values, **extra})
        rows: list[tuple[Any, ...]] = await cursor.fetchall()
        if rows:
            archive: Archive = request.app.state.archive
            await archive.views.note(connection, address.study, now=utc_now())
    if not rows:
        raise NotFound("wado.nothing-there")
    return rows
