"""Who is told of changes (PS3.4 §CC.2.3): the subscription states and their moves.

An AE title is one organisation's own: two that use the same one are two subscribers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from serai.imaging.ups import access, store
from serai.imaging.ups.finding import Pair, written_all
from serai.imaging.ups.store import CHANNEL, LISTENER_KEY
from serai.kernel.actor import Actor
from serai.kernel.errors import Malformed, NotFound, TooLarge
from serai.platform import audit
from serai.platform.db import Connection

# Well-known UIDs: every workitem, and those that match a filter.
WORKLIST: Final = "1.2.840.10008.5.1.4.34.5"
FILTERED: Final = "1.2.840.10008.5.1.4.34.5.1"
AE_TITLE: Final = re.compile(
    r"[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?"
)
MOST_SUBSCRIBERS: Final = 100

# An initial report says where the workitem stands (UPS State Report).
INITIAL = """jsonb_build_object(
    '00001002', jsonb_build_object('vr', 'US', 'Value', jsonb_build_array(1)),
    '00741000', s.attributes -> '00741000', '00404041', s.attributes -> '00404041')"""
# Between a workitem that is being made and somebody who begins to follow all, one sees the other.
MAKING = "SELECT pg_advisory_xact_lock_shared(2026112500)"
FOLLOWING = "SELECT pg_advisory_xact_lock(2026112500)"
SET_GLOBAL = """INSERT INTO imaging_workitem_subscriber
        (organisation, subscriber, deletion_lock, filter)
    VALUES (%(organisation)s, %(subscriber)s, %(lock)s, %(filter)s::jsonb)
    ON CONFLICT (organisation, subscriber)
    DO UPDATE SET deletion_lock = excluded.deletion_lock, filter = excluded.filter"""
COUNT = """SELECT count(*) FROM imaging_workitem_subscriber
           WHERE organisation = %(organisation)s AND subscriber <> %(subscriber)s"""
# What is subscribed to already stays as it is; a lock needs the right to change the workitem.
SUBSCRIBE_ALL = f"""WITH joined AS (
        INSERT INTO imaging_workitem_subscription
            (workitem, organisation, subscriber, deletion_lock)
        SELECT s.id, %(organisation)s, %(subscriber)s, %(lock)s AND {{changeable}}
        FROM imaging_workitem s WHERE {{visible}} AND {{condition}}
        ON CONFLICT DO NOTHING RETURNING workitem)
    INSERT INTO imaging_workitem_event (organisation, subscriber, workitem, at, content)
    SELECT %(organisation)s, %(subscriber)s, s.id, %(now)s, {INITIAL}
    FROM joined JOIN imaging_workitem s ON s.id = joined.workitem WHERE %(lock)s
    ORDER BY s.scheduled_start, s.id"""  # noqa: S608 - our own constants
SUBSCRIBE = """INSERT INTO imaging_workitem_subscription
        (workitem, organisation, subscriber, deletion_lock)
    VALUES (%(id)s, %(organisation)s, %(subscriber)s, %(lock)s)
    ON CONFLICT (workitem, organisation, subscriber)
    DO UPDATE SET deletion_lock = excluded.deletion_lock"""
TELL_INITIAL = f"""INSERT INTO imaging_workitem_event
        (organisation, subscriber, workitem, at, content)
    SELECT %(organisation)s, %(subscriber)s, s.id, %(now)s, {INITIAL}
    FROM imaging_workitem s WHERE s.id = %(id)s"""  # noqa: S608
WAKE = f"""SELECT pg_notify('{CHANNEL}', {LISTENER_KEY.format("t")})
    FROM (SELECT %(organisation)s::text AS organisation, %(subscriber)s::text AS subscriber) t"""  # noqa: S608
UNSUBSCRIBE = """DELETE FROM imaging_workitem_subscription
    WHERE workitem = %(id)s AND organisation = %(organisation)s AND subscriber = %(subscriber)s
    RETURNING workitem"""
UNSUBSCRIBE_ALL = """DELETE FROM imaging_workitem_subscription
    WHERE organisation = %(organisation)s AND subscriber = %(subscriber)s"""
DROP_GLOBAL = """DELETE FROM imaging_workitem_subscriber
    WHERE organisation = %(organisation)s AND subscriber = %(subscriber)s
      AND (filter IS NOT NULL) = %(filtered)s"""
DROP_ANY_GLOBAL = """DELETE FROM imaging_workitem_subscriber
    WHERE organisation = %(organisation)s AND subscriber = %(subscriber)s"""
FOLLOW_ALL = """INSERT INTO imaging_workitem_subscription
        (workitem, organisation, subscriber, deletion_lock)
    SELECT s.id, g.organisation, g.subscriber, g.deletion_lock
    FROM imaging_workitem s, imaging_workitem_subscriber g
    WHERE s.id = %(id)s AND g.filter IS NULL AND {seen}"""
FILTERS_OF = """SELECT g.organisation, g.subscriber, g.deletion_lock, g.filter::text
    FROM imaging_workitem s, imaging_workitem_subscriber g
    WHERE s.id = %(id)s AND g.filter IS NOT NULL AND {seen}
    ORDER BY g.organisation, g.subscriber"""
FOLLOW = """INSERT INTO imaging_workitem_subscription
        (workitem, organisation, subscriber, deletion_lock)
    SELECT %(id)s, * FROM unnest(%(organisations)s::text[], %(subscribers)s::text[],
                                 %(locks)s::boolean[])"""


async def subscribe(
    tx: Connection, uid: str, subscriber: str, *, lock: bool, actor: Actor, now: datetime
) -> bool:
    """To one workitem, with an initial report; whether the lock asked for was granted."""
    await store.read(tx, uid, actor=actor)
    granted = lock and await store.may_change(tx, uid, actor=actor)
    values = _named(subscriber, actor) | {"id": uid, "lock": granted, "now": now}
    await tx.execute(SUBSCRIBE, values)
    await tx.execute(TELL_INITIAL.encode(), values)
    await tx.execute(WAKE.encode(), values)
    await _audit(tx, "ups.subscribe", uid, actor, now)
    return granted or not lock


async def subscribe_globally(
    tx: Connection,
    subscriber: str,
    pairs: Sequence[Pair] | None,
    *,
    lock: bool,
    actor: Actor,
    now: datetime,
) -> None:
    """To every workitem the organisation sees, or those that match; those to come as well."""
    values = _named(subscriber, actor) | {"lock": lock, "now": now}
    row = await (await tx.execute(COUNT, values)).fetchone()
    if row is not None and row[0] >= MOST_SUBSCRIBERS:
        raise TooLarge("ups.too-many-subscribers", most=MOST_SUBSCRIBERS)
    ((condition, parameters),) = written_all([pairs or ()])
    visible, seen = access.visible(actor)
    changeable, _ = access.changeable(actor)
    await tx.execute(FOLLOWING)
    kept = None if pairs is None else orjson.dumps(list(pairs)).decode()
    await tx.execute(SET_GLOBAL, values | {"filter": kept})
    statement = SUBSCRIBE_ALL.format(visible=visible, changeable=changeable, condition=condition)
    await tx.execute(statement.encode(), {**values, **seen, **parameters})
    await tx.execute(WAKE.encode(), values)
    await _audit(tx, "ups.subscribe", WORKLIST if pairs is None else FILTERED, actor, now)


async def unsubscribe(
    tx: Connection, uid: str, subscriber: str, *, actor: Actor, now: datetime
) -> None:
    """From one workitem; or, with a well-known UID, from everything at once."""
    values = _named(subscriber, actor) | {"id": uid}
    if uid not in (WORKLIST, FILTERED):
        gone = (await tx.execute(UNSUBSCRIBE, values)).rowcount
    elif uid == FILTERED:
        gone = (await tx.execute(DROP_GLOBAL, values | {"filtered": True})).rowcount
        if gone:
            await tx.execute(UNSUBSCRIBE_ALL, values)
    else:
        gone = (await tx.execute(DROP_ANY_GLOBAL, values)).rowcount
        gone += (await tx.execute(UNSUBSCRIBE_ALL, values)).rowcount
    if not gone:
        raise NotFound("ups.no-such-subscription")
    await _audit(tx, "ups.unsubscribe", uid, actor, now)


async def suspend(
    tx: Connection, uid: str, subscriber: str, *, actor: Actor, now: datetime
) -> None:
    """New workitems are no longer followed; those followed already still are."""
    values = _named(subscriber, actor) | {"filtered": uid == FILTERED}
    if not (await tx.execute(DROP_GLOBAL, values)).rowcount:
        raise NotFound("ups.no-such-subscription")
    await _audit(tx, "ups.suspend", uid, actor, now)


async def subscribe_to_new(tx: Connection, uid: str) -> None:
    """Every global subscriber that may see a new workitem follows it, if its filter matches."""
    await tx.execute(MAKING)
    seen = access.seen_by("g.organisation")
    await tx.execute(FOLLOW_ALL.format(seen=seen).encode(), {"id": uid})
    rows = await (await tx.execute(FILTERS_OF.format(seen=seen).encode(), {"id": uid})).fetchall()
    if not rows:
        return
    filters = [[(key, value) for key, value in orjson.loads(kept)] for *_, kept in rows]
    written = written_all(filters)
    columns = ", ".join(f"({condition})" for condition, _ in written)
    parameters: dict[str, Any] = {"id": uid}
    for _, values in written:
        parameters |= values
    statement = f"SELECT {columns} FROM imaging_workitem s WHERE s.id = %(id)s"  # noqa: S608
    answers = await (await tx.execute(statement.encode(), parameters)).fetchone()
    matching = [row for row, matches in zip(rows, answers or (), strict=True) if matches]
    names = ("organisations", "subscribers", "locks")
    chosen = {name: [row[place] for row in matching] for place, name in enumerate(names)}
    await tx.execute(FOLLOW, {"id": uid, **chosen})


def ae_title(text: str) -> str:
    if not AE_TITLE.fullmatch(text):
        raise Malformed("ups.ae-title")
    return text


def _named(subscriber: str, actor: Actor) -> dict[str, Any]:
    return {"organisation": access.organisation_of(actor), "subscriber": subscriber}


async def _audit(tx: Connection, act: str, uid: str, actor: Actor, now: datetime) -> None:
    await audit.record(tx, actor=actor, act=act, at=now, resource=f"Workitem/{uid}")
