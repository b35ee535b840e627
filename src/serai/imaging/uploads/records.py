"""The table of uploads: each belongs to whoever began it, and to nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from serai.imaging.uploads.protocol import Described
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound, TooLarge
from serai.kernel.ids import new_id
from serai.platform.db import Connection

KEPT_FOR = timedelta(hours=48)
MOST_OPEN = 5000
COLUMNS = "id, length, filename, purpose, sha256, expires_at, result"
OWN = """owner = %(owner)s AND organisation IS NOT DISTINCT FROM %(organisation)s
         AND expires_at > %(now)s"""
COUNT = f"SELECT count(*) FROM imaging_upload WHERE result IS NULL AND {OWN}"  # noqa: S608
# A file begun before is the same upload still; one that has expired makes room.
MAKE_ROOM = """DELETE FROM imaging_upload
    WHERE owner = %(owner)s AND organisation IS NOT DISTINCT FROM %(organisation)s
      AND purpose = %(purpose)s AND key = %(key)s AND key <> '' AND result IS NULL
      AND (expires_at <= %(now)s OR length <> %(length)s) RETURNING id"""
ADD = """INSERT INTO imaging_upload (id, owner, organisation, length, filename, key, purpose,
        sha256, created_at, expires_at)
    VALUES (%(id)s, %(owner)s, %(organisation)s, %(length)s, %(filename)s, %(key)s, %(purpose)s,
        %(sha256)s, %(now)s, %(expires_at)s)
    ON CONFLICT DO NOTHING RETURNING id"""
BEGUN = f"""SELECT {COLUMNS} FROM imaging_upload
    WHERE purpose = %(purpose)s AND key = %(key)s AND result IS NULL AND {OWN}"""  # noqa: S608
FIND = f"SELECT {COLUMNS} FROM imaging_upload WHERE id = ANY(%(ids)s) AND {OWN}"  # noqa: S608
OPEN = f"""SELECT {COLUMNS} FROM imaging_upload
    WHERE purpose = %(purpose)s AND result IS NULL AND {OWN}
    ORDER BY created_at LIMIT {MOST_OPEN}"""  # noqa: S608
TOUCH = "UPDATE imaging_upload SET expires_at = %(expires_at)s WHERE id = %(id)s"
KEEP = "UPDATE imaging_upload SET result = %(result)s WHERE id = %(id)s"
REMOVE = f"DELETE FROM imaging_upload WHERE id = ANY(%(ids)s) AND {OWN} RETURNING id"  # noqa: S608
EXPIRED = "DELETE FROM imaging_upload WHERE expires_at <= %(now)s RETURNING id"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file on its way in; `result` once it was handed over."""

    id: str
    length: int
    filename: str
    purpose: str
    sha256: str
    expires_at: datetime
    result: dict[str, Any] | None


async def begin(
    tx: Connection, wanted: Described, *, actor: Actor, now: datetime
) -> tuple[Upload, list[str]]:
    """The upload, new or begun before, and the ids of those it takes the place of."""
    values = _own(actor, now) | {
        "id": new_id(),
        "length": wanted.length,
        "filename": wanted.filename,
        "key": wanted.key,
        "purpose": wanted.purpose,
        "sha256": wanted.sha256,
        "expires_at": now + KEPT_FOR,
    }
    (open_now,) = await (await tx.execute(COUNT, values)).fetchone() or (0,)
    if open_now >= MOST_OPEN:
        raise TooLarge("uploads.too-many", most=MOST_OPEN)
    gone = [id for (id,) in await (await tx.execute(MAKE_ROOM, values)).fetchall()]
    added = await (await tx.execute(ADD, values)).fetchone()
    if added:
        found = await find(tx, [added[0]], actor=actor, now=now)
        return found[0], gone
    row = await (await tx.execute(BEGUN, values)).fetchone()
    if row is None:
        raise NotFound("uploads.not-there")
    return Upload(*row), gone


async def find(
    connection: Connection, ids: Sequence[str], *, actor: Actor, now: datetime
) -> list[Upload]:
    """In the order asked for; NotFound when one is not there or not theirs."""
    values = _own(actor, now) | {"ids": list(ids)}
    rows = await (await connection.execute(FIND, values)).fetchall()
    known = {row[0]: Upload(*row) for row in rows}
    if any(id not in known for id in ids):
        raise NotFound("uploads.not-there")
    return [known[id] for id in ids]


async def unfinished(
    connection: Connection, purpose: str, *, actor: Actor, now: datetime
) -> list[Upload]:
    values = _own(actor, now) | {"purpose": purpose}
    return [Upload(*row) for row in await (await connection.execute(OPEN, values)).fetchall()]


async def touch(connection: Connection, id: str, *, now: datetime) -> datetime:
    """Something has arrived: the time to wait begins again."""
    expires_at = now + KEPT_FOR
    await connection.execute(TOUCH, {"id": id, "expires_at": expires_at})
    return expires_at


async def keep(connection: Connection, id: str, result: dict[str, Any]) -> None:
    await connection.execute(KEEP, {"id": id, "result": Jsonb(result)})


async def remove(
    connection: Connection, ids: Sequence[str], *, actor: Actor, now: datetime
) -> list[str]:
    values = _own(actor, now) | {"ids": list(ids)}
    return [id for (id,) in await (await connection.execute(REMOVE, values)).fetchall()]


async def expired(connection: Connection, *, now: datetime) -> list[str]:
    """Forget those whose time is up; their ids."""
    return [id for (id,) in await (await connection.execute(EXPIRED, {"now": now})).fetchall()]


def _own(actor: Actor, now: datetime) -> dict[str, Any]:
    return {"owner": actor.id, "organisation": actor.organisation, "now": now}
