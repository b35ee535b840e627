"""What an administrator sees of the pictures' bytes: how many, how long, where, and how sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from serai.imaging.archive.quota import quota_of, used_by
from serai.imaging.keeping import findings, rules
from serai.imaging.keeping.findings import Finding
from serai.imaging.keeping.rules import Hold
from serai.kernel.actor import Actor
from serai.platform.db import Connection

COLD_RULE = """SELECT days FROM imaging_tier_rule WHERE owner IN ('', %s)
    ORDER BY owner DESC LIMIT 1"""
AWAY = """SELECT c.state, count(*), sum(c.done)::bigint, sum(c.total)::bigint
    FROM imaging_cold c JOIN imaging_study s ON s.uid = c.study_uid
    WHERE s.owner = %s GROUP BY c.state"""
CHECKED = """SELECT max(finished_at) FROM fhir_job WHERE kind = 'scrub' AND status = 'done'"""


@dataclass(frozen=True, slots=True)
class Overview:
    """One organisation's pictures."""

    used: int
    quota: int | None
    days_kept: int | None
    days_hot: int | None
    cold: int
    returning: int
    done: int
    total: int
    holds: list[Hold]
    findings: list[Finding]
    checked_at: datetime | None


async def overview(connection: Connection, *, actor: Actor) -> Overview:
    owner = actor.organisation or ""
    kept = await rules.retention(connection, actor=actor)
    cold_rule = await (await connection.execute(COLD_RULE, (owner,))).fetchone()
    rows = await (await connection.execute(AWAY, (owner,))).fetchall()
    away: Mapping[str, tuple[int, int, int]] = {row[0]: (row[1], row[2], row[3]) for row in rows}
    coming = away.get("recalling", (0, 0, 0))
    checked = await (await connection.execute(CHECKED)).fetchone()
    return Overview(
        used=await used_by(connection, owner),
        quota=await quota_of(connection, owner),
        days_kept=max(kept.values(), default=None),
        days_hot=cold_rule[0] if cold_rule else None,
        cold=away.get("cold", (0, 0, 0))[0],
        returning=coming[0],
        done=coming[1],
        total=coming[2],
        holds=await rules.holds(connection, actor=actor),
        findings=await findings.seen(connection, actor=actor),
        checked_at=checked[0] if checked else None,
    )
