"""The tables of the analysis hook: judged series, analyses and how they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from serai.imaging.analysis.registry import Analyser
from serai.imaging.search.rows import visible
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.ids import new_id
from serai.platform import jobs
from serai.platform.db import Connection

KIND = "analysis"
PER_PAGE = 50

_COLUMNS = """a.id, a.study_uid, a.series_uid, a.resource, a.owner, a.analyser, a.title, a.revision,
    a.fingerprint, a.input, a.reason, a.state, a.tries, a.why, a.details, a.result, a.isolation,
    a.observation, a.objects, a.asked_at, a.started_at, a.finished_at"""
FIND = f"SELECT {_COLUMNS} FROM imaging_analysis a WHERE a.id = %s"  # noqa: S608
CURRENT = """SELECT id, input, revision, state FROM imaging_analysis
    WHERE study_uid = %s AND series_uid = %s AND analyser = %s AND current FOR UPDATE"""
REPLACE = "UPDATE imaging_analysis SET current = false WHERE id = %s RETURNING observation"
ADD = """INSERT INTO imaging_analysis
        (id, study_uid, series_uid, resource, owner, analyser, title, revision, fingerprint,
         input, reason, observation, asked_at)
    SELECT %(id)s, s.uid, %(series)s, s.resource, s.owner, %(analyser)s, %(title)s, %(revision)s,
           %(fingerprint)s, %(input)s, %(reason)s, %(observation)s, %(now)s
    FROM imaging_study s WHERE s.uid = %(study)s"""
BEGIN = f"""UPDATE imaging_analysis a SET state = 'running', tries = tries + 1,
        started_at = coalesce(started_at, %(now)s)
    WHERE id = %(id)s AND state IN ('queued', 'running') AND current RETURNING {_COLUMNS}"""  # noqa: S608
PUT_BACK = "UPDATE imaging_analysis SET state = 'queued', tries = tries - 1 WHERE id = %s"
END = """UPDATE imaging_analysis SET state = %(state)s, why = %(why)s, details = %(details)s,
        result = %(result)s, isolation = %(isolation)s, observation = %(observation)s,
        objects = %(objects)s, finished_at = %(now)s
    WHERE id = %(id)s"""
SEEN = f"""SELECT {_COLUMNS} FROM imaging_analysis a JOIN imaging_study s ON s.uid = a.study_uid
    WHERE {{what}} AND {{seen}} ORDER BY a.asked_at DESC, a.id
    LIMIT %(most)s OFFSET %(start)s"""  # noqa: S608
OUTDATED = """SELECT study_uid, series_uid FROM imaging_analysis
    WHERE analyser = %(analyser)s AND revision <> %(revision)s AND current
      AND state IN ('done', 'failed', 'abstained') LIMIT %(most)s"""
SEES = "SELECT 1 FROM imaging_study s WHERE s.uid = %(study)s AND {seen}"
FORGET = """UPDATE imaging_analysis SET state = 'queued', tries = 0, why = NULL, details = '{}',
        finished_at = NULL
    WHERE id = %s AND state = 'failed' AND current"""


@dataclass(frozen=True, slots=True)
class Analysis:
    """One analyser's look at one series, as it stands."""

    id: str
    study: str
    series: str
    resource: str
    owner: str | None
    analyser: str
    title: str
    revision: str
    fingerprint: str
    input: str
    reason: str
    state: str
    tries: int
    why: str | None
    details: dict[str, Any]
    result: dict[str, Any]
    isolation: list[str]
    observation: str | None
    objects: list[str]
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


async def queue(
    tx: Connection,
    study: str,
    series: str,
    analyser: Analyser,
    *,
    input: str,
    reason: str,
    now: datetime,
    again: str = "",
) -> str | None:
    """A new analysis and its job; None when the same has been done or is under way.

    `again` are states in which the same is done all the same.
    """
    row = await (await tx.execute(CURRENT, (study, series, analyser.name))).fetchone()
    observation = None
    if row is not None:
        id, seen, revision, state = row
        same = (seen, revision) == (input, analyser.revision)
        if same and state not in again.split():
            return None
        replaced = await (await tx.execute(REPLACE, (id,))).fetchone()
        observation = replaced[0] if replaced else None
    new = new_id()
    values = {
        "id": new,
        "study": study,
        "series": series,
        "analyser": analyser.name,
        "title": analyser.title,
        "revision": analyser.revision,
        "fingerprint": analyser.fingerprint,
        "input": input,
        "reason": reason,
        "observation": observation,
        "now": now,
    }
    if (await tx.execute(ADD, values)).rowcount == 0:
        return None
    await jobs.ask(tx, KIND, {"analysis": new}, actor=serai_itself, now=now)
    return new


async def find(connection: Connection, id: str) -> Analysis | None:
    row = await (await connection.execute(FIND, (id,))).fetchone()
    return Analysis(*row) if row else None


async def begin(tx: Connection, id: str, *, now: datetime) -> Analysis | None:
    """One more try; None when it is over or a newer one has taken its place."""
    row = await (await tx.execute(BEGIN, {"id": id, "now": now})).fetchone()
    return Analysis(*row) if row else None


async def put_back(tx: Connection, id: str) -> None:
    """The server stops: that was no try."""
    await tx.execute(PUT_BACK, (id,))


async def end(
    tx: Connection,
    analysis: Analysis,
    state: str,
    *,
    now: datetime,
    why: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Analysis:
    """`done`, `abstained` or `failed`, with what `analysis` holds by now."""
    ended = replace(analysis, state=state, why=why, details=dict(details or {}), finished_at=now)
    values = {
        "id": ended.id,
        "state": state,
        "why": why,
        "details": Jsonb(ended.details),
        "result": Jsonb(ended.result),
        "isolation": ended.isolation,
        "observation": ended.observation,
        "objects": ended.objects,
        "now": now,
    }
    await tx.execute(END, values)
    return ended


async def retry(tx: Connection, analysis: Analysis, *, now: datetime) -> bool:
    """A failed one again, from its first try; False when it has not failed."""
    if (await tx.execute(FORGET, (analysis.id,))).rowcount == 0:
        return False
    await jobs.ask(tx, KIND, {"analysis": analysis.id}, actor=serai_itself, now=now)
    return True


async def outdated(
    connection: Connection, analyser: Analyser, most: int
) -> Sequence[tuple[str, str]]:
    """Series that an older revision has looked at."""
    values = {"analyser": analyser.name, "revision": analyser.revision, "most": most}
    rows = await (await connection.execute(OUTDATED, values)).fetchall()
    return [(study, series) for study, series in rows]


async def sees(connection: Connection, study: str, *, actor: Actor) -> bool:
    """Whether the study is there and visible to the actor."""
    condition, bound = visible(actor)
    statement = SEES.format(seen=condition)
    row = await (await connection.execute(statement.encode(), {"study": study, **bound})).fetchone()
    return row is not None


async def of_study(connection: Connection, study: str, *, actor: Actor) -> list[Analysis]:
    """Every current analysis of a study that the actor sees."""
    return await _seen(
        connection, "a.current AND a.study_uid = %(study)s", {"study": study}, actor, most=1000
    )


async def of_organisation(
    connection: Connection, state: str, start: int, *, actor: Actor
) -> list[Analysis]:
    """Those of the actor's own studies, newest first; one more than a page holds."""
    what = "a.current AND (%(state)s = '' OR a.state = %(state)s)"
    values: dict[str, Any] = {"state": state}
    if not actor.system_wide:
        what += " AND a.owner = %(organisation)s"
        values["organisation"] = actor.organisation
    return await _seen(connection, what, values, actor, most=PER_PAGE + 1, start=start)


async def seen(connection: Connection, id: str, *, actor: Actor) -> Analysis | None:
    """One analysis, if its study is visible to the actor."""
    found = await _seen(connection, "a.id = %(id)s", {"id": id}, actor, most=1)
    return found[0] if found else None


async def _seen(
    connection: Connection,
    what: str,
    values: Mapping[str, Any],
    actor: Actor,
    *,
    most: int,
    start: int = 0,
) -> list[Analysis]:
    condition, bound = visible(actor)
    statement = SEEN.format(what=what, seen=condition)
    asked = {**values, **bound, "most": most, "start": start}
    cursor = await connection.execute(statement.encode(), asked)
    return [Analysis(*row) for row in await cursor.fetchall()]
