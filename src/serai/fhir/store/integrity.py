"""Referential integrity on delete: what others still point to stays (R4 §3.1.0.7)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from serai.fhir.definitions import RESOURCE_TYPES, search_parameters
from serai.fhir.search.keys import key
from serai.fhir.stored import Stored
from serai.kernel.errors import Conflict
from serai.platform.db import Connection

# They tell what happened, also to what is gone since.
CHRONICLES = ("AuditEvent", "Provenance")

# Asked after the write: what was deleted or pointed elsewhere along with it holds no such key
# any more. Materialized, so that the index is used: for the sake of LIMIT 1 the planner, who
# takes the 200 keys for common, would rather read the table until one is found.
REFERRING = """WITH referring AS MATERIALIZED (
    SELECT r.keys FROM fhir_resource r WHERE r.keys && %(keys)s::bigint[] AND NOT r.deleted
) SELECT keys FROM referring LIMIT 1"""


@cache
def pointing_to(kind: str) -> tuple[tuple[str, str], ...]:
    """Type and parameter of every reference that may point to a resource of that type."""
    return tuple(
        (source, code)
        for source in sorted(RESOURCE_TYPES.difference(CHRONICLES))
        for code, one in search_parameters(source).items()
        if one.type == "reference" and one.is_supported and (not one.targets or kind in one.targets)
    )


async def check(tx: Connection, deleted: Sequence[Stored]) -> None:
    """Refuses while anybody's resource refers to a deleted one. Which one refers is not said:
    the actor may not see it."""
    keys = {
        key("ref", source, code, one.reference): one.reference
        for one in deleted
        for source, code in pointing_to(one.type)
    }
    if not keys:
        return
    row = await (await tx.execute(REFERRING, {"keys": list(keys)})).fetchone()
    if row is not None:
        resource = next(keys[one] for one in row[0] if one in keys)
        raise Conflict("fhir.still-referenced", resource=resource)
