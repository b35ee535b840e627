"""Retention rules, legal holds and quotas: who sets them, and what they say now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import RestrictViolation, UniqueViolation

from serai.imaging.archive.holding import held
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from serai.kernel.ids import new_id
from serai.platform import audit
from serai.platform.db import Connection

EVERYBODY = ""
SET_RETENTION = """INSERT INTO imaging_retention (owner, days, set_by, set_at)
    VALUES (%(owner)s, %(days)s, %(by)s, %(now)s)
    ON CONFLICT (owner) DO UPDATE SET days = EXCLUDED.days, set_by = EXCLUDED.set_by,
        set_at = EXCLUDED.set_at"""
SET_QUOTA = """INSERT INTO imaging_quota (owner, bytes, set_by, set_at)
    VALUES (%(owner)s, %(bytes)s, %(by)s, %(now)s)
    ON CONFLICT (owner) DO UPDATE SET bytes = EXCLUDED.bytes, set_by = EXCLUDED.set_by,
        set_at = EXCLUDED.set_at"""
LIFT_QUOTA = "DELETE FROM imaging_quota WHERE owner = %s"
PLACE = """INSERT INTO imaging_hold
        (id, study_uid, owner, reason, placed_by, placed_by_name, placed_at)
    VALUES (%(id)s, %(study)s, %(owner)s, %(reason)s, %(by)s, %(name)s, %(now)s)"""
RELEASE = """UPDATE imaging_hold h SET released_by = %(by)s, released_at = %(now)s
    WHERE h.id = %(id)s AND h.released_at IS NULL AND (%(all)s OR h.owner = %(organisation)s)
    RETURNING study_uid"""
HOLDS = """SELECT id, study_uid, reason, placed_by_name, placed_at FROM imaging_hold h
    WHERE h.released_at IS NULL AND (%(all)s OR h.owner = %(organisation)s)
    ORDER BY placed_at DESC, id LIMIT 500"""
RULES = """SELECT owner, days FROM imaging_retention
    WHERE %(all)s OR owner IN ('', %(organisation)s) ORDER BY owner"""
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Hold:
    """One study that stays, and why."""

    id: str
    study: str
    reason: str
    by: str
    at: datetime


async def retain(
    tx: Connection, days: int, *, owner: str = EVERYBODY, actor: Actor, now: datetime
) -> None:
    """Keep everything for so many days; a rule may be made longer, never shorter."""
    _require_for(owner, actor)
    if not 1 <= days <= 73_000:
        raise Invalid("imaging.rule-out-of-range")
    try:
        await tx.execute(SET_RETENTION, {"owner": owner, "days": days, "by": actor.id, "now": now})
    except RestrictViolation as error:
        raise Conflict("imaging.rule-stands") from error
    await audit.record(tx, actor=actor, act="imaging.retain", at=now, resource=_of(owner))


async def limit(
    tx: Connection, size: int | None, *, owner: str, actor: Actor, now: datetime
) -> None:
    """At most so many bytes for an organisation; None lifts the limit. For the whole server's
    keepers only: an organisation does not set its own quota."""
    if not actor.system_wide:
        raise Forbidden("imaging.rule-of-another")
    if size is None:
        await tx.execute(LIFT_QUOTA, (owner,))
    elif size < 0:
        raise Invalid("imaging.rule-out-of-range")
    else:
        values = {"owner": owner, "bytes": size, "by": actor.id, "now": now}
        await tx.execute(SET_QUOTA, values)
    await audit.record(tx, actor=actor, act="imaging.quota", at=now, resource=_of(owner))


async def place_hold(
    tx: Connection, study: str, reason: str, *, actor: Actor, now: datetime
) -> str:
    """Nothing of the study is deleted for good until the hold is released."""
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise Invalid("imaging.hold-without-reason")
    resource, owner = await held(tx, study, "s.owner", actor=actor)
    id = new_id()
    values = {"id": id, "study": study, "owner": owner, "reason": reason.strip()}
    try:
        await tx.execute(PLACE, values | {"by": actor.id, "name": actor.name, "now": now})
    except UniqueViolation as error:
        raise Conflict("imaging.held") from error
    resource = f"ImagingStudy/{resource}"
    await audit.record(tx, actor=actor, act="imaging.hold", at=now, resource=resource)
    return id


async def release_hold(tx: Connection, id: str, *, actor: Actor, now: datetime) -> None:
    values = {"id": id, "by": actor.id, "now": now, **_reach(actor)}
    row = await (await tx.execute(RELEASE, values)).fetchone()
    if row is None:
        raise NotFound("imaging.no-such-hold")
    await audit.record(tx, actor=actor, act="imaging.release", at=now, resource=f"hold/{id}")


async def holds(connection: Connection, *, actor: Actor) -> list[Hold]:
    rows = await (await connection.execute(HOLDS, _reach(actor))).fetchall()
    return [Hold(*row) for row in rows]


async def retention(connection: Connection, *, actor: Actor) -> dict[str, int]:
    """Days by owner; '' is every organisation."""
    return dict(await (await connection.execute(RULES, _reach(actor))).fetchall())


def _require_for(owner: str, actor: Actor) -> None:
    if not actor.system_wide and owner != actor.organisation:
        raise Forbidden("imaging.rule-of-another")


def _reach(actor: Actor) -> dict[str, object]:
    return {"all": actor.system_wide, "organisation": actor.organisation}


def _of(owner: str) -> str | None:
    return f"Organization/{owner}" if owner else None
