"""The work behind $export: every wanted resource once, in NDJSON files (Bulk Data Access IG 2.0).

Types one after the other, each in the order of ids, page by page; a file is written as a blob
and listed in the transaction of the checkpoint, so a killed export repeats at most one file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from serai.fhir.body import decode, encode
from serai.fhir.bulk import files
from serai.fhir.search.subsets import Subset
from serai.fhir.store import FhirStore
from serai.fhir.visibility import clause
from serai.kernel.actor import Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden
from serai.platform.blobs import Blobs
from serai.platform.db import Connection
from serai.platform.jobs import Moved
from serai.platform.running import Running

PAGE = 500
RESOURCES_PER_FILE = 10_000
BYTES_PER_FILE = 64 << 20
# A write's time is taken before it commits: an open transaction may still bring older ones.
MARGIN = timedelta(seconds=5)

PRESENT = """SELECT wanted.type FROM unnest(%(types)s::text[]) WITH ORDINALITY AS wanted(type, at)
    WHERE EXISTS (SELECT FROM fhir_resource r WHERE r.type = wanted.type) ORDER BY wanted.at"""

# Transactions of this database that have not ended: what they write is as old as they are.
OLDEST = """SELECT min(xact_start) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"""

# What was deleted after the export was asked for is exported as it was then: it was there.
# What is visible is judged anew for every page, so that a share that closes ends the export of it.
RESOURCES = """SELECT r.id,
        CASE WHEN r.deleted THEN (
            SELECT v.content FROM fhir_version v
            WHERE v.type = r.type AND v.id = r.id AND v.last_updated <= %(asked_at)s
            ORDER BY v.version DESC LIMIT 1) ELSE r.content END
    FROM fhir_resource r
    WHERE r.type = %(type)s AND r.id > %(after)s AND {visible} AND {wanted}
      AND (NOT r.deleted OR r.last_updated > %(asked_at)s)
    ORDER BY r.id LIMIT %(limit)s"""

DELETED = """SELECT r.id FROM fhir_resource r
    WHERE r.type = %(type)s AND r.id > %(after)s AND {visible} AND {wanted} AND r.deleted
    ORDER BY r.id LIMIT %(limit)s"""

SINCE = "r.last_updated >= %(since)s"
IN_A_COMPARTMENT = "r.patients <> '{}'"
OF_PATIENTS = """EXISTS (SELECT FROM unnest(r.patients) AS about(id)
    WHERE about.id = ANY(%(patients)s::text[]))"""

REVOKED = """SELECT EXISTS (SELECT FROM access_token
    WHERE id = %(actor)s AND revoked_at IS NOT NULL)
    OR EXISTS (SELECT FROM app WHERE id = %(actor)s AND revoked_at IS NOT NULL)"""


@dataclass
class Part:
    """A file being written: the resources of one type after an id."""

    kind: str
    type: str
    after: str
    count: int = 0
    size: int = 0
    exhausted: bool = False

    @property
    def full(self) -> bool:
        return self.count >= RESOURCES_PER_FILE or self.size >= BYTES_PER_FILE


async def run(running: Running, *, store: FhirStore, blobs: Blobs, keep_hours: int) -> timedelta:
    """From the checkpoint to the end."""
    if not running.job.state:
        await _plan(running)
    state = running.job.state
    while state["at"] < len(state["parts"]):
        running.go_on()
        await _part(running, store, blobs)
        state = running.job.state
    return timedelta(hours=keep_hours)


async def _plan(running: Running) -> None:
    """Which types there are, and the time after which a later export must look again."""
    asked = running.job.parameters
    async with running.db.transaction() as tx:
        rows = await (await tx.execute(PRESENT, {"types": asked["types"]})).fetchall()
        (oldest,) = await (await tx.execute(OLDEST)).fetchone() or (None,)
        asked_at = running.job.asked_at
        seen = min(oldest or asked_at, asked_at) - MARGIN
        parts = [["output", row[0]] for row in rows]
        if asked.get("since"):
            parts += [["deleted", row[0]] for row in rows]
        state = {"parts": parts, "at": 0, "after": "", "time": seen.isoformat()}
        await running.move(tx, state, done=0)


async def _part(running: Running, store: FhirStore, blobs: Blobs) -> None:
    """One file and its checkpoint."""
    state = running.job.state
    kind, resource_type = state["parts"][state["at"]]
    part = Part(kind, resource_type, state["after"])
    digest = await blobs.put(_lines(running, store, part))
    after = {"at": state["at"] + 1, "after": ""} if part.exhausted else {"after": part.after}
    try:
        await _listed(running, blobs, part, digest, state | after)
    except Moved:
        await files.drop(running.db, blobs, digest)
        raise


async def _listed(
    running: Running, blobs: Blobs, part: Part, digest: str, after: dict[str, Any]
) -> None:
    """The file in the job's list and the checkpoint behind it; or neither, to be done again."""
    async with running.db.transaction() as tx:
        if part.count and not await files.record(
            tx,
            blobs,
            running.job.id,
            list=part.kind,
            type="Bundle" if part.kind == "deleted" else part.type,
            digest=digest,
            count=part.count,
        ):
            return
        await running.move(tx, after, done=running.job.done + part.count)
    if not part.count:
        await files.drop(running.db, blobs, digest)


async def _lines(running: Running, store: FhirStore, part: Part) -> AsyncIterator[bytes]:
    """Pages until the file is full, the type exhausted or the server stopping."""
    while not (part.full or part.exhausted or running.stop.is_set()):
        page = await _page(running, part)
        part.exhausted = len(page) < PAGE
        if page:
            part.after = page[-1][0]
            page = await _filtered(running, store, part, page)
        for line in _written(part, page, _subset(running, part)):
            part.size += len(line)
            yield line


async def _page(running: Running, part: Part) -> list[tuple[Any, ...]]:
    statement = DELETED if part.kind == "deleted" else RESOURCES
    visible, values = clause(running.job.actor)
    wanted, more = _wanted(running.job.parameters)
    values |= more | {
        "type": part.type,
        "after": part.after,
        "asked_at": running.job.asked_at,
        "limit": PAGE,
    }
    async with running.db.connection() as connection:
        await _still_allowed(connection, running)
        cursor = await connection.execute(
            statement.format(visible=visible, wanted=wanted), values, binary=True
        )
        return await cursor.fetchall()


async def _filtered(
    running: Running, store: FhirStore, part: Part, page: list[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Those of the page that any of the type's searches finds for this client; what is deleted
    is in no search, and the list of deletions is not filtered."""
    filters = (running.job.parameters.get("filters") or {}).get(part.type)
    if filters is None or part.kind == "deleted":
        return page
    among = ("_id", ",".join(row[0] for row in page))
    found: set[str] = set()
    async with running.db.connection() as connection:
        for one in filters:
            pairs = [*map(tuple, one), among, ("_count", str(PAGE))]
            matches = await store.search(connection, part.type, pairs, actor=running.job.actor)
            found |= {match.id for match in matches.matches}
    return [row for row in page if row[0] in found]


def _wanted(parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    conditions, values = ["TRUE"], dict[str, Any]()
    if parameters.get("since"):
        conditions.append(SINCE)
        values["since"] = datetime.fromisoformat(parameters["since"])
    if parameters["level"] != "system":
        conditions.append(IN_A_COMPARTMENT)
    if parameters.get("patients") is not None:
        conditions.append(OF_PATIENTS)
        values["patients"] = parameters["patients"]
    return " AND ".join(conditions), values


async def _still_allowed(connection: Connection, running: Running) -> None:
    """A token that is revoked takes its exports with it."""
    if running.job.actor.kind is not Kind.MACHINE:
        return
    row = await (await connection.execute(REVOKED, {"actor": running.job.actor.id})).fetchone()
    if row and row[0]:
        raise Forbidden("bulk.token-revoked")


def _subset(running: Running, part: Part) -> Subset | None:
    """What of each resource was asked for; None for the whole."""
    names = (running.job.parameters.get("elements") or {}).get(part.type)
    return Subset("elements", frozenset(names)) if names is not None else None


def _written(part: Part, page: list[tuple[Any, ...]], subset: Subset | None) -> list[bytes]:
    if part.kind == "deleted":
        part.count += bool(page)
        return [_deletions(part.type, [row[0] for row in page])] if page else []
    contents = [row[1] for row in page if row[1] is not None]
    if subset is not None:
        contents = [subset.part(part.type, decode(one)) for one in contents]
    lines = [one + b"\n" for one in contents]
    part.count += len(lines)
    return lines


def _deletions(kind: str, ids: list[str]) -> bytes:
    """Deleted resources as a transaction that deletes them (IG, "deleted")."""
    entries = [{"request": {"method": "DELETE", "url": f"{kind}/{id}"}} for id in ids]
    return encode({"resourceType": "Bundle", "type": "transaction", "entry": entries}) + b"\n"


def transaction_time(state: dict[str, Any], asked_at: datetime) -> datetime:
    return datetime.fromisoformat(state["time"]) if "time" in state else min(asked_at, utc_now())
