"""Read and vread: one primary-key lookup, no parsing (R4 §3.1.0.1–2)."""

from __future__ import annotations

from typing import Any

from serai.fhir.stored import COLUMNS, Stored, stored
from serai.fhir.visibility import clause, require
from serai.kernel.actor import Actor
from serai.kernel.errors import Gone, NotFound
from serai.platform.db import Connection

CURRENT = f"""SELECT {COLUMNS} FROM fhir_resource r
    WHERE r.type = %(type)s AND r.id = %(id)s AND {{visible}}"""  # noqa: S608

# The wanted version is either the current one or a superseded one; each is visible by what it
# said itself.
VERSION = f"""SELECT {COLUMNS} FROM fhir_resource r
    WHERE r.type = %(type)s AND r.id = %(id)s AND r.version = %(version)s AND {{visible}}
    UNION ALL
    SELECT {COLUMNS} FROM fhir_version r
    WHERE r.type = %(type)s AND r.id = %(id)s AND r.version = %(version)s AND {{visible}}"""  # noqa: S608


async def read(connection: Connection, type: str, id: str, *, actor: Actor) -> Stored:
    """NotFound when it is not there for this actor, Gone when it was deleted."""
    require(actor, "r", type)
    return await _one(connection, CURRENT, {"type": type, "id": id}, actor)


async def vread(
    connection: Connection, type: str, id: str, version: int, *, actor: Actor
) -> Stored:
    """One version; Gone when that version is the deletion."""
    require(actor, "r", type)
    wanted = {"type": type, "id": id, "version": version}
    return await _one(connection, VERSION, wanted, actor)


async def read_to_change(connection: Connection, type: str, id: str, *, actor: Actor) -> Stored:
    """The current version, which nobody else changes until the transaction ends."""
    require(actor, "r", type)
    locking = f"{CURRENT} FOR UPDATE OF r"
    return await _one(connection, locking, {"type": type, "id": id}, actor)


async def _one(
    connection: Connection, statement: str, wanted: dict[str, Any], actor: Actor
) -> Stored:
    visible, values = clause(actor)
    cursor = await connection.execute(
        statement.format(visible=visible), values | wanted, binary=True
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("fhir.not-found", resource=f"{wanted['type']}/{wanted['id']}")
    found = stored(row)
    if found.deleted:
        raise Gone("fhir.gone", resource=found.reference)
    return found
