"""Long work that everybody concerned can watch, cancel and resume: the table of jobs.

Asking for a job and queueing it is one transaction. Whoever runs it (`queue`) moves it on by
checkpoints, each in the transaction that does the step, so that a killed job goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from serai.kernel.actor import Actor, Kind
from serai.kernel.ids import new_id
from serai.platform.db import Connection

QUEUE = "serai"
TASK = "run"
OPEN = ("waiting", "running")
# Kinds of work that go on behind everybody's back.
BACKGROUND = ("analysis",)

_COLUMNS = """id, kind, status, actor, parameters, state, run, done, total, error, error_details,
    asked_at, started_at, moved_at, finished_at, expires_at"""

ASK = """INSERT INTO fhir_job
        (id, kind, status, asked_by, organisation, actor, parameters, asked_at)
    VALUES (%(id)s, %(kind)s, 'waiting', %(asked_by)s, %(organisation)s, %(actor)s,
            %(parameters)s, %(now)s)"""

# The queueing lock keeps one job from standing in the queue twice: an entry that stands still is
# enough. What nobody waits for comes last, and one at a time, so that the others find a place.
DEFER = """SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
    %(queue)s, %(task)s, CASE WHEN kind = ANY(%(background)s) THEN -10 ELSE 0 END,
    CASE WHEN kind = ANY(%(background)s) THEN kind END, %(id)s,
    jsonb_build_object('job', %(id)s::text), NULL)::procrastinate_job_to_defer_v1])
    FROM fhir_job
    WHERE id = %(id)s AND NOT EXISTS (SELECT FROM procrastinate_jobs
                                      WHERE queueing_lock = %(id)s AND status = 'todo')"""

FIND = f"SELECT {_COLUMNS} FROM fhir_job WHERE id = %(id)s"  # noqa: S608

OF_ORGANISATION = f"""SELECT {_COLUMNS} FROM fhir_job WHERE organisation = %(organisation)s
    ORDER BY asked_at DESC, id OFFSET %(start)s LIMIT %(most)s"""  # noqa: S608

# Asking for the same work at the same time must find each other: see ONE_AT_A_TIME.
SAME = f"""SELECT {_COLUMNS} FROM fhir_job
    WHERE kind = %(kind)s AND parameters = %(parameters)s AND status IN ('waiting', 'running')
    ORDER BY asked_at LIMIT 1"""  # noqa: S608
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('job ' || %(kind)s, 0))"

BEGIN = f"""UPDATE fhir_job SET status = 'running', run = run + 1, moved_at = %(now)s,
        started_at = coalesce(started_at, %(now)s), error = NULL, error_details = '{{}}'
    WHERE id = %(id)s AND status IN ('waiting', 'running') RETURNING {_COLUMNS}"""  # noqa: S608

MOVE = """UPDATE fhir_job SET state = %(state)s, done = %(done)s, moved_at = %(now)s,
        total = coalesce(%(total)s, total)
    WHERE id = %(id)s AND run = %(run)s AND status = 'running'"""

END = """UPDATE fhir_job SET status = %(status)s, finished_at = %(now)s, moved_at = %(now)s,
        error = %(error)s, error_details = %(error_details)s, expires_at = %(expires_at)s
    WHERE id = %(id)s AND run = %(run)s AND status = 'running'"""

CANCEL = """UPDATE fhir_job SET status = 'cancelled', finished_at = coalesce(finished_at, %(now)s)
    WHERE id = %(id)s AND status <> 'cancelled'"""

RESUME = """UPDATE fhir_job SET status = 'waiting', finished_at = NULL, expires_at = NULL
    WHERE id = %(id)s AND status = 'failed'"""

# Open, but in nobody's queue: a worker that was stopped hard takes its entry along.
LOST = """SELECT id FROM fhir_job j WHERE status IN ('waiting', 'running') AND NOT EXISTS (
    SELECT FROM procrastinate_jobs q
    WHERE q.args ->> 'job' = j.id AND q.status IN ('todo', 'doing'))
    FOR UPDATE SKIP LOCKED"""


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it stands. `state` belongs to the kind of work; nobody else reads it."""

    id: str
    kind: str
    status: str
    actor: Actor
    parameters: dict[str, Any]
    state: dict[str, Any]
    run: int
    done: int
    total: int | None
    error: str | None
    error_details: dict[str, Any]
    asked_at: datetime
    started_at: datetime | None
    moved_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None

    @property
    def open(self) -> bool:
        return self.status in OPEN


class Moved(Exception):
    """The job was cancelled, or another runner has it: this one stops without a word."""


async def ask(
    tx: Connection, kind: str, parameters: Mapping[str, Any], *, actor: Actor, now: datetime
) -> str:
    """Write the job down and queue it; the id of the new job."""
    id = new_id()
    values = {
        "id": id,
        "kind": kind,
        "asked_by": actor.id,
        "organisation": actor.organisation,
        # A job proves nobody's identity, however lately its asker has.
        "actor": Jsonb(asdict(actor) | {"scopes": sorted(actor.scopes), "proved_at": None}),
        "parameters": Jsonb(dict(parameters)),
        "now": now,
    }
    await tx.execute(ASK, values)
    await _defer(tx, id)
    return id


async def join(
    tx: Connection, kind: str, parameters: Mapping[str, Any], *, actor: Actor, now: datetime
) -> str:
    """`ask`, or the id of a job under way that does the same."""
    await tx.execute(ONE_AT_A_TIME, {"kind": kind})
    wanted = {"kind": kind, "parameters": Jsonb(dict(parameters))}
    row = await (await tx.execute(SAME, wanted)).fetchone()
    return row[0] if row else await ask(tx, kind, parameters, actor=actor, now=now)


async def find(connection: Connection, id: str) -> Job | None:
    row = await (await connection.execute(FIND, {"id": id})).fetchone()
    return _job(row) if row else None


async def of_organisation(
    connection: Connection, organisation: str, *, start: int, most: int
) -> list[Job]:
    """The newest first."""
    values = {"organisation": organisation, "start": start, "most": most}
    return [
        _job(row) for row in await (await connection.execute(OF_ORGANISATION, values)).fetchall()
    ]


async def begin(connection: Connection, id: str, *, now: datetime) -> Job | None:
    """The job, now ours to run; None when it was cancelled or is over."""
    row = await (await connection.execute(BEGIN, {"id": id, "now": now})).fetchone()
    return _job(row) if row else None


async def move(
    tx: Connection,
    job: Job,
    state: Mapping[str, Any],
    *,
    done: int,
    now: datetime,
    total: int | None = None,
) -> Job:
    """A checkpoint, in the transaction that did the step; Moved when it is not ours any more."""
    values = {"id": job.id, "run": job.run, "done": done, "total": total, "now": now}
    cursor = await tx.execute(MOVE, values | {"state": Jsonb(dict(state))})
    if cursor.rowcount != 1:
        raise Moved
    known = total if total is not None else job.total
    return replace(job, state=dict(state), done=done, total=known, moved_at=now)


async def end(
    connection: Connection,
    job: Job,
    *,
    now: datetime,
    error: str | None = None,
    details: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
) -> None:
    values = {
        "id": job.id,
        "run": job.run,
        "status": "failed" if error else "done",
        "error": error,
        "error_details": Jsonb({name: str(value) for name, value in (details or {}).items()}),
        "expires_at": expires_at,
        "now": now,
    }
    await connection.execute(END, values)


async def cancel(connection: Connection, id: str, *, now: datetime) -> None:
    """Its runner notices at the next checkpoint."""
    await connection.execute(CANCEL, {"id": id, "now": now})


async def resume(tx: Connection, id: str) -> bool:
    """Queue a failed job again from its checkpoint; False when it has not failed."""
    cursor = await tx.execute(RESUME, {"id": id})
    if cursor.rowcount == 1:
        await _defer(tx, id)
    return cursor.rowcount == 1


async def requeue_lost(tx: Connection) -> None:
    """Queue again what is open and stands in no queue."""
    for (id,) in await (await tx.execute(LOST)).fetchall():
        await _defer(tx, id)


async def _defer(tx: Connection, id: str) -> None:
    values = {"queue": QUEUE, "task": TASK, "id": id, "background": list(BACKGROUND)}
    await tx.execute(DEFER, values)


def _job(row: tuple[Any, ...]) -> Job:
    id, kind, status, actor, *rest = row
    known = actor | {
        "kind": Kind(actor["kind"]),
        "scopes": frozenset(actor["scopes"]),
        "only": tuple(actor["only"]) if actor.get("only") else None,
        "patients": tuple(actor.get("patients", ())),
    }
    return Job(id, kind, status, Actor(**known), *rest)
