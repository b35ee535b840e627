"""From what has arrived to queued analyses: one pass every few seconds, in the jobs' process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from serai.imaging.analysis import records
from serai.imaging.analysis.completeness import Reason, Signs, complete
from serai.imaging.analysis.registry import MANUFACTURER, Analyser, registered
from serai.imaging.dataset.model_json import first_text
from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound
from serai.platform.db import Connection, Database
from serai.platform.running import stopped_within

EVERY_S = 3.0
AT_ONCE = 50
AGAIN_IN = timedelta(seconds=5)
# Between looks while a sender goes on for long.
AGAIN_AT_MOST = timedelta(minutes=1)
TOLD_KEPT = timedelta(days=30)
RENEW_EVERY = 20
RENEWED_AT_ONCE = 50

DUE = """SELECT study_uid, ended_at, look_at FROM imaging_arrival WHERE look_at <= %s
    ORDER BY look_at LIMIT %s"""
ONE_DUE = """SELECT study_uid, ended_at, look_at FROM imaging_arrival
    WHERE study_uid = %s AND look_at = %s FOR UPDATE SKIP LOCKED"""
# The digest names the instances and their bytes: the same series with the same bytes is the same.
SERIES = """SELECT e.uid, e.modality, s.owner, array_agg(i.uid), array_agg(i.number),
        array_agg(DISTINCT i.sop_class), max(i.received_at),
        encode(sha256(string_agg(i.uid || ' ' || i.blob, E'\\n' ORDER BY i.uid)::bytea), 'hex'),
        min(i.uid), c.input, coalesce(e.attributes #>> '{00080070,Value,0}', '') = %(ours)s
    FROM imaging_series e JOIN imaging_study s ON s.uid = e.study_uid
    JOIN imaging_instance i ON i.study_uid = e.study_uid AND i.series_uid = e.uid
    LEFT JOIN imaging_complete c ON c.study_uid = e.study_uid AND c.series_uid = e.uid
    WHERE e.study_uid = %(study)s
    GROUP BY e.uid, e.modality, e.attributes, s.owner, c.input ORDER BY e.uid"""
METADATA = "SELECT metadata FROM imaging_instance WHERE uid = %s"
TOLD = """SELECT series_uid, source, instances FROM imaging_told
    WHERE series_uid = ANY(%s) AND (organisation = '' OR organisation = %s)"""
JUDGED = """INSERT INTO imaging_complete
        (study_uid, series_uid, instances, input, reason, complete_at)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (study_uid, series_uid) DO UPDATE
    SET instances = EXCLUDED.instances, input = EXCLUDED.input, reason = EXCLUDED.reason,
        complete_at = EXCLUDED.complete_at"""
LOOKED_AT = "DELETE FROM imaging_arrival WHERE study_uid = %s AND look_at = %s"
LOOK_AGAIN = "UPDATE imaging_arrival SET look_at = %s WHERE study_uid = %s AND look_at = %s"
FORGET_TOLD = "DELETE FROM imaging_told WHERE told_at < %s"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A series as it is now. `judged` is the input last taken for complete; what analysers of
    this server have made is `ours`, and nobody analyses it."""

    uid: str
    modality: str
    owner: str | None
    instances: list[str]
    numbers: list[int | None]
    classes: list[str]
    last_at: datetime
    input: str
    sample: str
    judged: str | None
    ours: bool


async def watch_until(home: Path, db: Database, stop: asyncio.Event) -> None:
    """The chore: judge what is due, and now and then look for analysers that have changed."""
    turn = 0
    while not stop.is_set():
        analysers = await asyncio.to_thread(registered, home)
        while await look(db, analysers, now=utc_now()) == AT_ONCE and not stop.is_set():
            pass
        if turn % RENEW_EVERY == 0:
            await renew(db, analysers, now=utc_now())
        turn += 1
        await stopped_within(stop, EVERY_S)


async def look(db: Database, analysers: Sequence[Analyser], *, now: datetime) -> int:
    """Judge the studies that are due; how many they were."""
    async with db.connection() as connection:
        due = await (await connection.execute(DUE, (now, AT_ONCE))).fetchall()
    for study, _, look_at in due:
        async with db.transaction() as tx:
            held = await (await tx.execute(ONE_DUE, (study, look_at))).fetchone()
            if held is not None:
                await _look_at(tx, held, analysers, now)
    return len(due)


async def renew(db: Database, analysers: Sequence[Analyser], *, now: datetime) -> int:
    """Queue again what an older revision of an analyser has looked at."""
    queued = 0
    for analyser in analysers:
        async with db.transaction() as tx:
            for study, series in await records.outdated(tx, analyser, RENEWED_AT_ONCE):
                queued += await ask(tx, study, [analyser], series=series, now=now)
    async with db.transaction() as tx:
        await tx.execute(FORGET_TOLD, (now - TOLD_KEPT,))
    return queued


async def ask(
    tx: Connection,
    study: str,
    analysers: Sequence[Analyser],
    *,
    now: datetime,
    series: str | None = None,
    again: str = "",
) -> int:
    """Take the series of a study for complete because somebody says so; how many were queued."""
    arrived = [each for each in await _series(tx, study) if series in (None, each.uid)]
    arrived = [each for each in arrived if not each.ours]
    if not arrived:
        raise NotFound("analysis.no-such-series")
    queued = 0
    for each in arrived:
        queued += await _queue(tx, study, each, analysers, Reason.ASKED, now, again)
    return queued


async def _look_at(
    tx: Connection, held: tuple[Any, ...], analysers: Sequence[Analyser], now: datetime
) -> None:
    study, ended_at, look_at = held
    arrived = await _series(tx, study)
    told = await _told(tx, arrived)
    waiting = None
    for each in arrived:
        if each.ours or each.judged == each.input:
            continue
        signs = await _signs(tx, each, told.get(each.uid, {}), ended_at)
        reason = complete(signs, now)
        if reason is None:
            waiting = max(waiting or signs.last_at, signs.last_at)
        else:
            await _queue(tx, study, each, analysers, reason, now)
    if waiting is None:
        await tx.execute(LOOKED_AT, (study, look_at))
    else:
        # The longer nothing has come, the less often there is something to see.
        pause = min(max(AGAIN_IN, (now - waiting) / 4), AGAIN_AT_MOST)
        await tx.execute(LOOK_AGAIN, (now + pause, study, look_at))


async def _series(tx: Connection, study: str) -> list[Arrived]:
    cursor = await tx.execute(SERIES, {"study": study, "ours": MANUFACTURER})
    return [Arrived(*row) for row in await cursor.fetchall()]


async def _told(tx: Connection, arrived: Sequence[Arrived]) -> dict[str, dict[str, frozenset[str]]]:
    """By series and by source."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    if arrived:
        asked = ([each.uid for each in arrived], arrived[0].owner or "")
        for uid, source, instances in await (await tx.execute(TOLD, asked)).fetchall():
            known = found.setdefault(uid, {})
            known[source] = known.get(source, frozenset()) | frozenset(instances)
    return found


async def _signs(
    tx: Connection,
    arrived: Arrived,
    told: dict[str, frozenset[str]],
    ended_at: datetime | None,
) -> Signs:
    row = await (await tx.execute(METADATA, (arrived.sample,))).fetchone()
    stated = first_text(orjson.loads(row[0]), "00201209") if row else ""
    return Signs(
        present=frozenset(arrived.instances),
        numbers=arrived.numbers,
        last_at=arrived.last_at,
        ended_at=ended_at,
        performed=told.get("mpps", frozenset()),
        committed=told.get("commitment", frozenset()),
        stated=int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 7 else None,
    )


async def _queue(
    tx: Connection,
    study: str,
    arrived: Arrived,
    analysers: Sequence[Analyser],
    reason: Reason,
    now: datetime,
    again: str = "",
) -> int:
    judged = (study, arrived.uid, len(arrived.instances), arrived.input, reason, now)
    await tx.execute(JUDGED, judged)
    queued = 0
    for analyser in analysers:
        if analyser.wants(arrived.classes, arrived.modality):
            asked = await records.queue(
                tx, study, arrived.uid, analyser,
                input=arrived.input, reason=reason, now=now, again=again,
            )  # fmt: skip
            queued += asked is not None
    return queued
