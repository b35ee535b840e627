"""The files of a job: blobs with a line each in the job's list, gone when the job expires.

Two exports with the same content share one blob. A lock that recording takes shared and deleting
exclusively keeps a blob from going between being written and being listed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from serai.fhir.store import FhirStore
from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound
from serai.platform.blobs import Blobs
from serai.platform.db import Connection, Database
from serai.platform.running import stopped_within

LOOK_EVERY_S = 30.0

LISTING = "SELECT pg_advisory_xact_lock_shared(723623112)"
DELETING = "SELECT pg_advisory_xact_lock(723623112)"

RECORD = """INSERT INTO fhir_job_file (job, number, list, type, digest, count)
    SELECT %(job)s, coalesce(max(number), 0) + 1, %(list)s, %(type)s, %(digest)s, %(count)s
    FROM fhir_job_file WHERE job = %(job)s"""

OF_JOB = """SELECT number, list, type, digest, count FROM fhir_job_file
    WHERE job = %(job)s ORDER BY number"""

# Cancelled or expired, and no longer in the hands of a runner: one may still be writing a file.
OVER = """SELECT id FROM fhir_job WHERE status = 'cancelled' OR expires_at < %(now)s LIMIT 100"""

FORGET = "DELETE FROM fhir_job_file WHERE job = ANY(%(jobs)s) RETURNING digest"
LEFT = "SELECT DISTINCT digest FROM fhir_job_file WHERE digest = ANY(%(digests)s)"


@dataclass(frozen=True, slots=True)
class File:
    """One NDJSON file; `number` is its place in the job's list and its name."""

    number: int
    list: str
    type: str
    digest: str
    count: int

    @property
    def name(self) -> str:
        return f"{self.number}.ndjson"


async def record(
    tx: Connection, blobs: Blobs, job: str, *, list: str, type: str, digest: str, count: int
) -> bool:
    """List a blob just put; False when it was deleted meanwhile and must be put again."""
    await tx.execute(LISTING)
    try:
        await blobs.get_range(digest, 0, 1)
    except NotFound:
        return False
    values = {"job": job, "list": list, "type": type, "digest": digest, "count": count}
    await tx.execute(RECORD, values)
    return True


async def of_job(connection: Connection, job: str) -> list[File]:
    rows = await (await connection.execute(OF_JOB, {"job": job})).fetchall()
    return [File(*row) for row in rows]


async def forget(db: Database, blobs: Blobs, jobs: list[str]) -> None:
    """Delete the files of these jobs, except what another job lists too."""
    async with db.transaction() as tx:
        await tx.execute(DELETING)
        rows = await (await tx.execute(FORGET, {"jobs": jobs})).fetchall()
        digests = sorted({row[0] for row in rows})
        kept = await (await tx.execute(LEFT, {"digests": digests})).fetchall()
        for digest in set(digests) - {row[0] for row in kept}:
            await blobs.delete(digest)


async def drop(db: Database, blobs: Blobs, digest: str) -> None:
    """Delete a blob that was put and will not be listed, except when another job lists it."""
    async with db.transaction() as tx:
        await tx.execute(DELETING)
        if not await (await tx.execute(LEFT, {"digests": [digest]})).fetchall():
            await blobs.delete(digest)


async def sweep(db: Database, blobs: Blobs) -> None:
    """Delete what jobs that are cancelled or expired have left."""
    async with db.connection() as connection:
        rows = await (await connection.execute(OVER, {"now": utc_now()})).fetchall()
    if rows:
        await forget(db, blobs, [row[0] for row in rows])


async def sweep_until(blobs: Blobs, db: Database, _store: FhirStore, stop: asyncio.Event) -> None:
    """`sweep` now and then."""
    while not stop.is_set():
        await sweep(db, blobs)
        await stopped_within(stop, LOOK_EVERY_S)
