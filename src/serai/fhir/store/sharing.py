"""Shares: what another organisation may read because of an open reason, until it closes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from serai.platform.db import Connection

# Opening again what was closed for the same reason starts anew.
OPEN = """INSERT INTO fhir_share (organisation, type, id, reason, opened_at, closed_at)
    SELECT %(organisation)s, wanted.type, wanted.id, %(reason)s, %(now)s, NULL
    FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted(type, id)
    ON CONFLICT (organisation, type, id, reason)
    DO UPDATE SET closed_at = NULL, opened_at = excluded.opened_at
    WHERE fhir_share.closed_at IS NOT NULL"""

CLOSE = """UPDATE fhir_share SET closed_at = %(now)s
    WHERE reason = %(reason)s AND closed_at IS NULL"""


async def share(
    tx: Connection, organisation: str, references: Iterable[str], reason: str, now: datetime
) -> None:
    """Lets an organisation read these (``Patient/1``) for a reason (``Task/7``)."""
    wanted = sorted({tuple(one.split("/", 1)) for one in references})
    values = {
        "organisation": organisation,
        "reason": reason,
        "now": now,
        "types": [kind for kind, _ in wanted],
        "ids": [id for _, id in wanted],
    }
    await tx.execute(OPEN, values)


async def close_shares(tx: Connection, reason: str, now: datetime) -> None:
    """Ends every share of that reason; what the other side authored stays its own."""
    await tx.execute(CLOSE, {"reason": reason, "now": now})
