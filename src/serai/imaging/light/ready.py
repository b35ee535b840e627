"""Small pictures drawn before anybody asks, so that many phones cost the server one drawing.

A job in the background looks for studies that have arrived and are quiet, newest first, and never
takes more than a part of one processor: whoever comes first is drawn for on the spot.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from serai.fhir.store import FhirStore
from serai.imaging.light import pictures
from serai.imaging.light.lineup import Lineup, Lineups
from serai.imaging.light.series import Series, small_wish
from serai.imaging.search.rows import visible
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.running import stopped_within

EVERY_S = 10.0
QUIET_FOR = timedelta(seconds=60)
ONLY_NEWER = timedelta(days=2)
KEPT_FOR = timedelta(days=60)
# Fewer are drawn as quickly as they are read; more would fill the table with one study.
FEWEST, MOST = 12, 2000
AT_ONCE = 24
# Between two batches it rests so many times as long as it worked.
REST = 3.0
PLACE = struct.Struct("<II")

DUE = """SELECT s.uid, s.instances FROM imaging_study s
         WHERE s.settled AND s.received_at BETWEEN %(since)s AND %(until)s
           AND NOT EXISTS (SELECT 1 FROM imaging_preview p
                           WHERE p.study_uid = s.uid AND p.instances = s.instances)
         ORDER BY s.received_at DESC LIMIT 20"""
KEEP = """INSERT INTO imaging_preview (study_uid, version, instances, places, content, made_at)
          SELECT uid, %(version)s, %(instances)s, %(places)s, %(content)s, %(now)s
          FROM imaging_study WHERE uid = %(study)s
          ON CONFLICT (study_uid) DO UPDATE
          SET version = excluded.version, instances = excluded.instances,
              places = excluded.places, content = excluded.content, made_at = excluded.made_at"""
OLD = "DELETE FROM imaging_preview WHERE made_at < %s"
PLACES = """SELECT p.places FROM imaging_preview p JOIN imaging_study s ON s.uid = p.study_uid
            WHERE s.uid = %(study)s AND p.version = %(version)s AND {visible}"""
CONTENT = """SELECT substring(p.content FROM w.start + 1 FOR w.length)
             FROM imaging_preview p JOIN imaging_study s ON s.uid = p.study_uid,
                  unnest(%(starts)s::integer[], %(lengths)s::integer[]) WITH ORDINALITY
                  AS w(start, length, place)
             WHERE s.uid = %(study)s AND p.version = %(version)s AND {visible}
             ORDER BY w.place"""


async def of(
    db: Database, lineup: Lineup, series: Series, numbers: Sequence[int], *, actor: Actor
) -> list[bytes] | None:
    """The small pictures of these slides; None when they are yet to be drawn."""
    seen, values = visible(actor)
    wanted = {"study": lineup.study, "version": lineup.version, **values}
    first = _first(lineup, series)
    async with db.connection() as connection, connection.cursor(binary=True) as cursor:
        await cursor.execute(PLACES.format(visible=seen).encode(), wanted)
        row = await cursor.fetchone()
        if row is None or len(row[0]) < PLACE.size * (first + len(series.slides)):
            return None
        places = [PLACE.unpack_from(row[0], PLACE.size * (first + each)) for each in numbers]
        starts, lengths = [start for start, _ in places], [length for _, length in places]
        wanted |= {"starts": starts, "lengths": lengths}
        await cursor.execute(CONTENT.format(visible=seen).encode(), wanted)
        found = [content for (content,) in await cursor.fetchall()]
    return found if len(found) == len(numbers) else None


async def make(db: Database, blobs: Blobs, *, now: datetime, rest: float = REST) -> int:
    """Draw for the studies that are due; how many."""
    async with db.connection() as connection:
        wanted = {"since": now - ONLY_NEWER, "until": now - QUIET_FOR}
        due = await (await connection.execute(DUE, wanted)).fetchall()
        await connection.execute(OLD, (now - KEPT_FOR,))
    lineups = Lineups()
    for study, instances in due:
        values = {"study": study, "version": "", "instances": instances, "now": now}
        # Before it is drawn: what cannot be drawn must not be tried for ever.
        await _keep(db, values | {"places": b"", "content": b""})
        try:
            lineup = await lineups.of(db, study, actor=serai_itself)
            places, content = await _drawn(db, blobs, lineup, rest)
        except NotFound:
            continue
        await _keep(db, values | {"version": lineup.version, "places": places, "content": content})
    return len(due)


async def _keep(db: Database, values: dict[str, Any]) -> None:
    async with db.connection() as connection:
        await connection.execute(KEEP, values)


async def make_until(blobs: Blobs, db: Database, _store: FhirStore, stop: asyncio.Event) -> None:
    """`make` now and then."""
    while not stop.is_set():
        await make(db, blobs, now=utc_now())
        await stopped_within(stop, EVERY_S)


async def _drawn(db: Database, blobs: Blobs, lineup: Lineup, rest: float) -> tuple[bytes, bytes]:
    places, content = bytearray(), bytearray()
    if not FEWEST <= sum(len(each.slides) for each in lineup.series.values()) <= MOST:
        return b"", b""
    for series in lineup.series.values():
        wish = small_wish(series)
        for at in range(0, len(series.slides), AT_ONCE):
            began = time.monotonic()
            slides = series.slides[at : at + AT_ONCE]
            found = await pictures.found(db, lineup.study, slides, actor=serai_itself)
            known = enumerate(pictures.require_all(slides, found))
            async for part in pictures.parts(blobs, known, wish):
                picture = part[pictures.HEAD.size :]
                places += PLACE.pack(len(content), len(picture))
                content += picture
            await asyncio.sleep(rest * (time.monotonic() - began))
    return bytes(places), bytes(content)


def _first(lineup: Lineup, series: Series) -> int:
    """How many slides lie before those of the series."""
    before = 0
    for each in lineup.series.values():
        if each.uid == series.uid:
            break
        before += len(each.slides)
    return before
