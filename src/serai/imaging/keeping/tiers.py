"""Studies that nobody looks at go to a cold place and come back when somebody does.

Each step can be cut off and done again. Copies are made outside of transactions, bytes summed on
the way; copies are deleted only in a transaction that holds the study's row in the state which
allows it, so that never both places are without.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from serai.imaging.keeping import findings
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from serai.kernel.ids import new_id
from serai.platform import audit
from serai.platform.blobs import Blobs, Damaged
from serai.platform.db import Connection, Database
from serai.platform.running import Running, stopped_within

SET = """INSERT INTO imaging_tier_rule (owner, days, set_by, set_at)
    VALUES (%(owner)s, %(days)s, %(by)s, %(now)s)
    ON CONFLICT (owner) DO UPDATE SET days = EXCLUDED.days, set_by = EXCLUDED.set_by,
        set_at = EXCLUDED.set_at"""
LIFT = "DELETE FROM imaging_tier_rule WHERE owner = %s"
# The organisation's own rule goes before the one for all.
DUE = """SELECT s.uid FROM imaging_study s LEFT JOIN imaging_viewed v ON v.study_uid = s.uid
    WHERE s.uid > %(after)s AND s.settled
      AND greatest(s.received_at, v.at) < %(now)s - interval '1 day' *
          (SELECT r.days FROM imaging_tier_rule r WHERE r.owner IN ('', s.owner)
           ORDER BY r.owner DESC LIMIT 1)
      AND NOT EXISTS (SELECT FROM imaging_cold c WHERE c.study_uid = s.uid)
    ORDER BY s.uid LIMIT 1"""
BEGIN = """INSERT INTO imaging_cold (study_uid, token, state, since)
    VALUES (%(study)s, %(token)s, 'copying', %(now)s) ON CONFLICT DO NOTHING"""
LEFT = """SELECT study_uid, token, state FROM imaging_cold
    WHERE state IN ('copying', 'moving') ORDER BY study_uid"""
OF_STUDY = """SELECT uid, blob FROM imaging_instance WHERE study_uid = %(study)s
    UNION SELECT w.uid, w.blob FROM imaging_trash_row w
    WHERE w.blob IS NOT NULL AND w.row ->> 'study_uid' = %(study)s
      AND w.trash IN (SELECT id FROM imaging_trash WHERE study_uid = %(study)s)
    ORDER BY uid"""
TO = """UPDATE imaging_cold SET state = %(to)s, done = 0, total = %(total)s
    WHERE study_uid = %(study)s AND token = %(token)s AND state = %(from)s"""
HOLD = """SELECT state FROM imaging_cold WHERE study_uid = %(study)s AND token = %(token)s
    FOR UPDATE"""
STAY = "SELECT token, state FROM imaging_cold WHERE study_uid = %s"
DONE = "UPDATE imaging_cold SET done = %(done)s WHERE study_uid = %(study)s AND token = %(token)s"
OVER = "DELETE FROM imaging_cold WHERE study_uid = %(study)s AND token = %(token)s"
WAIT_S = 0.5
TELL_EVERY = 20


async def set_rule(
    tx: Connection, days: int | None, *, owner: str, actor: Actor, now: datetime
) -> None:
    """Cold after so many days without a look; None leaves everything hot."""
    if not actor.system_wide and owner != actor.organisation:
        raise Forbidden("imaging.rule-of-another")
    if days is None:
        await tx.execute(LIFT, (owner,))
    elif not 1 <= days <= 73_000:
        raise Invalid("imaging.rule-out-of-range")
    else:
        await tx.execute(SET, {"owner": owner, "days": days, "by": actor.id, "now": now})
    resource = f"Organization/{owner}" if owner else None
    await audit.record(tx, actor=actor, act="imaging.tier-rule", at=now, resource=resource)


async def tier(running: Running, *, hot: Blobs, cold: Blobs | None) -> timedelta | None:
    """Every study that is due, one after the other, from where the job was cut off."""
    place = _required(cold)
    async with running.db.connection() as connection:
        left = await (await connection.execute(LEFT)).fetchall()
    for study, token, _ in left:
        running.go_on()
        await _move(running, study, token, hot=hot, cold=place)
    while (study := await _next(running)) is not None:
        running.go_on()
        token = new_id()
        async with running.db.transaction() as tx:
            await tx.execute(BEGIN, {"study": study, "token": token, "now": utc_now()})
        await _move(running, study, token, hot=hot, cold=place)
        async with running.db.transaction() as tx:
            await running.move(tx, {"after": study}, done=running.job.done + 1)
    return None


async def recall(running: Running, *, hot: Blobs, cold: Blobs | None) -> timedelta | None:
    """One study back into the hot place, its bytes proven to be those that were stored."""
    study, place = str(running.job.parameters["study"]), _required(cold)
    while (stay := await _stay(running.db, study)) is not None:
        running.go_on()
        token, state = stay
        if state in ("copying", "moving"):
            await _when_cold(running, study, token, hot=hot, cold=place)
        elif state == "cold":
            blobs = await _blobs_of(running.db, study)
            await _to(running.db, study, token, "cold", "recalling", len(blobs))
        elif state == "recalling":
            await _bring_back(running, study, token, hot=hot, cold=place)
        else:
            await _leave_cold(running.db, study, token, place)
    return None


async def _next(running: Running) -> str | None:
    values = {"after": running.job.state.get("after", ""), "now": utc_now()}
    async with running.db.connection() as connection:
        row = await (await connection.execute(DUE, values)).fetchone()
    return row[0] if row else None


async def _move(running: Running, study: str, token: str, *, hot: Blobs, cold: Blobs) -> None:
    stay = await _stay(running.db, study)
    if stay is None or stay[0] != token:
        return
    blobs = await _blobs_of(running.db, study)
    if stay[1] == "copying":
        whole = True
        for uid, blob in blobs:
            running.go_on()
            whole &= await _copied(running.db, uid, blob, source=hot, target=cold, place="hot")
        if not whole:
            # What is damaged stays where it can be seen and sent again.
            async with running.db.transaction() as tx:
                await tx.execute(OVER, {"study": study, "token": token})
            return
        await _to(running.db, study, token, "copying", "moving", len(blobs))
    await _leave_hot(running.db, study, token, blobs, hot=hot, cold=cold)


async def _leave_hot(
    db: Database, study: str, token: str, blobs: list[tuple[str, str]], *, hot: Blobs, cold: Blobs
) -> None:
    key = {"study": study, "token": token}
    async with db.transaction() as tx:
        if await _held(tx, key) != "moving":
            return
        for _, blob in blobs:
            # An instance that came after the copies were made stays hot.
            if await cold.has(blob):
                await hot.delete(blob)
        values = {**key, "from": "moving", "to": "cold", "total": len(blobs)}
        await tx.execute(TO, values)


async def _when_cold(running: Running, study: str, token: str, *, hot: Blobs, cold: Blobs) -> None:
    """Somebody looked while it was on its way: a copy is dropped, a move is first completed."""
    key = {"study": study, "token": token}
    async with running.db.transaction() as tx:
        if await _held(tx, key) == "copying":
            await tx.execute(OVER, key)
            return
    blobs = await _blobs_of(running.db, study)
    await _leave_hot(running.db, study, token, blobs, hot=hot, cold=cold)
    await stopped_within(running.stop, WAIT_S)


async def _bring_back(running: Running, study: str, token: str, *, hot: Blobs, cold: Blobs) -> None:
    blobs = await _blobs_of(running.db, study)
    whole, key = True, {"study": study, "token": token}
    for number, (uid, blob) in enumerate(blobs, 1):
        running.go_on()
        whole &= await _copied(running.db, uid, blob, source=cold, target=hot, place="cold")
        if number % TELL_EVERY == 0 or number == len(blobs):
            async with running.db.transaction() as tx:
                await tx.execute(DONE, {**key, "done": number})
                await running.move(tx, {}, done=number, total=len(blobs))
    if not whole:
        raise Conflict("imaging.damaged")
    await _to(running.db, study, token, "recalling", "returning", len(blobs))


async def _leave_cold(db: Database, study: str, token: str, cold: Blobs) -> None:
    blobs, key = await _blobs_of(db, study), {"study": study, "token": token}
    async with db.transaction() as tx:
        if await _held(tx, key) == "returning":
            for _, blob in blobs:
                await cold.delete(blob)
            await tx.execute(OVER, key)


async def _copied(
    db: Database, uid: str, blob: str, *, source: Blobs, target: Blobs, place: str
) -> bool:
    """False when the bytes are not there, or not the same any more, which is then known."""
    if await target.has(blob):
        return True
    try:
        kind = "" if await target.put(source.stream(blob)) == blob else "damaged"
    except Damaged:
        kind = "damaged"
    except NotFound:
        kind = "missing"
    if kind and await findings.is_referred_to(db, uid, blob):
        await findings.note(db, uid, blob, place=place, kind=kind)
        return False
    return True


async def _held(tx: Connection, key: dict[str, str]) -> str | None:
    row = await (await tx.execute(HOLD, key)).fetchone()
    return row[0] if row else None


async def _to(db: Database, study: str, token: str, old: str, new: str, total: int) -> None:
    values = {"study": study, "token": token, "from": old, "to": new, "total": total}
    async with db.transaction() as tx:
        await tx.execute(TO, values)


async def _stay(db: Database, study: str) -> tuple[str, str] | None:
    async with db.connection() as connection:
        row: tuple[Any, ...] | None = await (await connection.execute(STAY, (study,))).fetchone()
    return (row[0], row[1]) if row else None


async def _blobs_of(db: Database, study: str) -> list[tuple[str, str]]:
    async with db.connection() as connection:
        rows = await (await connection.execute(OF_STUDY, {"study": study})).fetchall()
    return [(uid, blob) for uid, blob in rows]


def _required(cold: Blobs | None) -> Blobs:
    if cold is None:
        raise Unavailable("imaging.no-cold-place")
    return cold
