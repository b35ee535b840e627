"""The tables of who is told what, as functions; every statement of this room that writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from serai.fhir.subscriptions.definition import Definition
from serai.kernel.actor import Actor
from serai.platform.db import Connection

KEEP_DELIVERED = timedelta(days=14)

# What is visible now, and nothing is waited for; see migration 0023.
HAPPENED = """SELECT sequence, type, id, version, deleted, at FROM subscription_event
    ORDER BY sequence LIMIT %s"""
TAKEN = "DELETE FROM subscription_event WHERE sequence = ANY (%s)"

FOLLOW = """INSERT INTO subscription
        (id, status, subscriber, subscriber_kind, organisation, next_try, heartbeat_s, ends_at,
         channel)
    VALUES (%(id)s, 'requested', %(actor)s, %(kind)s, %(organisation)s, %(now)s,
            %(heartbeat_s)s, %(ends_at)s, %(channel)s)
    ON CONFLICT (id) DO UPDATE SET status = 'requested', subscriber = excluded.subscriber,
        subscriber_kind = excluded.subscriber_kind, organisation = excluded.organisation,
        next_try = excluded.next_try, heartbeat_s = excluded.heartbeat_s,
        ends_at = excluded.ends_at, channel = excluded.channel, failures = 0,
        last_error = NULL"""
RESUME = """UPDATE subscription SET status = 'requested', next_try = %s, failures = 0,
    last_error = NULL WHERE id = %s"""
FORGET_TYPES = "DELETE FROM subscription_type WHERE subscription = %s"
WATCH = "INSERT INTO subscription_type (type, subscription) VALUES (%s, %s)"
SWITCH_OFF = "UPDATE subscription SET status = 'off' WHERE id = %s"
FORGET = "DELETE FROM subscription WHERE id = %s"

COLUMNS = """s.id, s.status, s.subscriber, s.subscriber_kind, s.last_number, s.failures,
    s.next_try, s.last_sent, s.last_error, s.channel"""
# Row locks keep a write of the Subscription itself from changing between match and number.
INTERESTED = f"""SELECT {COLUMNS} FROM subscription s
    JOIN subscription_type t ON t.subscription = s.id
    WHERE t.type = ANY (%s) AND s.status <> 'off' ORDER BY s.id FOR UPDATE OF s"""  # noqa: S608
# Who must be told something, and when at the earliest. Over a websocket it is the web worker
# that tells.
DUE = """SELECT s.id, s.next_try FROM subscription s WHERE s.status <> 'off' AND (
        s.status = 'requested' OR s.ends_at <= %(now)s
        OR s.channel = 'rest-hook' AND (
            s.heartbeat_s > 0 AND s.last_sent + s.heartbeat_s * interval '1 s' <= %(now)s
            OR EXISTS (SELECT 1 FROM subscription_delivery d
                       WHERE d.subscription = s.id AND d.state = 'pending')))
    ORDER BY s.next_try"""
THESE = f"SELECT {COLUMNS} FROM subscription s WHERE s.id = ANY (%s)"  # noqa: S608

ADD = """WITH numbered AS (
    UPDATE subscription SET last_number = last_number + 1 WHERE id = %(subscription)s
    RETURNING last_number)
INSERT INTO subscription_delivery
    (subscription, number, type, id, version, deleted, at, state, reason)
SELECT %(subscription)s, last_number, %(type)s, %(id)s, %(version)s, %(deleted)s, %(at)s,
       %(state)s, %(reason)s
FROM numbered"""

EVENT = "number, type, id, version, deleted, at, state, tries, reason"
PENDING = f"""SELECT {EVENT} FROM subscription_delivery
    WHERE subscription = %s AND state = 'pending' ORDER BY number LIMIT %s"""  # noqa: S608
BETWEEN = f"""SELECT {EVENT} FROM subscription_delivery
    WHERE subscription = %s AND number BETWEEN %s AND %s ORDER BY number LIMIT %s"""  # noqa: S608
# What a socket that was told up to `sent` must be told next: anything newer than what it was
# already told of, and what nobody was told yet.
UNTOLD = f"""SELECT {EVENT} FROM subscription_delivery
    WHERE subscription = %s AND number > %s AND state <> 'withheld'
      AND (state = 'pending' OR number > %s) ORDER BY number LIMIT %s"""  # noqa: S608
DEAD = f"""SELECT {EVENT} FROM subscription_delivery
    WHERE subscription = %s AND state = 'dead' AND number > %s ORDER BY number LIMIT %s"""  # noqa: S608
SETTLE = """UPDATE subscription_delivery SET state = %s, reason = %s, settled_at = %s
    WHERE subscription = %s AND number = ANY (%s) AND state = 'pending'"""
SENT = """UPDATE subscription SET failures = 0, next_try = %(now)s, last_sent = %(now)s,
    last_error = NULL WHERE id = %(id)s"""
FAILED = """UPDATE subscription SET failures = failures + 1, next_try = %s, last_error = %s
    WHERE id = %s"""
TRIED = """UPDATE subscription_delivery SET tries = tries + 1, reason = %s
    WHERE subscription = %s AND number = ANY (%s) AND state = 'pending'
    RETURNING number, tries, at"""
STATUS = "UPDATE subscription SET status = %s WHERE id = %s AND status <> 'off'"
REPLAY = """UPDATE subscription_delivery SET state = 'pending', tries = 0
    WHERE subscription = %(id)s AND state = 'dead'
      AND (%(numbers)s::bigint[] IS NULL OR number = ANY (%(numbers)s))"""
TRY_NOW = "UPDATE subscription SET failures = 0, next_try = %s WHERE id = %s"
WAKE = "NOTIFY subscription_event"
WAKE_SOCKETS = "SELECT pg_notify('subscription_delivery', %s)"
# Whoever is never connected is not waited for; the events stay, and can be fetched or replayed.
GIVE_UP = """UPDATE subscription_delivery d
    SET state = 'dead', reason = 'subscription.nobody-connected', settled_at = %(now)s
    FROM subscription s WHERE s.id = d.subscription AND s.channel = 'websocket'
      AND d.state = 'pending' AND d.at < %(before)s"""
PRUNE = """DELETE FROM subscription_delivery
    WHERE state IN ('delivered', 'withheld') AND settled_at < %s"""
# What was dead from the start was never settled.
BURY = """DELETE FROM subscription_delivery WHERE state = 'dead' AND ctid = ANY (ARRAY(
    SELECT ctid FROM subscription_delivery
    WHERE state = 'dead' AND coalesce(settled_at, at) < %s LIMIT 1000))"""


@dataclass(frozen=True, slots=True)
class Happened:
    """One new version of one resource, waiting to be matched."""

    sequence: int
    type: str
    id: str
    version: int
    deleted: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Listener:
    """A row of `subscription`."""

    id: str
    status: str
    subscriber: str
    kind: str
    last_number: int
    failures: int
    next_try: datetime
    last_sent: datetime | None
    last_error: str | None
    channel: str


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `subscription_delivery`."""

    number: int
    type: str
    id: str
    version: int
    deleted: bool
    at: datetime
    state: str
    tries: int
    reason: str | None


async def follow(
    tx: Connection, id: str, wanted: Definition, *, actor: Actor, now: datetime
) -> None:
    """From the end of this transaction on, changes of the type are kept for it."""
    values = {
        "id": id,
        "actor": actor.id,
        "kind": actor.kind,
        "organisation": actor.organisation,
        "now": now,
        "heartbeat_s": wanted.heartbeat_s,
        "ends_at": wanted.end,
        "channel": wanted.channel,
    }
    await tx.execute(FOLLOW, values)
    await _watch(tx, id, wanted)


async def resume(tx: Connection, id: str, wanted: Definition, *, now: datetime) -> None:
    """`follow`, for whom it was followed before."""
    await tx.execute(RESUME, (now, id))
    await _watch(tx, id, wanted)


async def _watch(tx: Connection, id: str, wanted: Definition) -> None:
    await tx.execute(FORGET_TYPES, (id,))
    await tx.execute(WATCH, (wanted.type, id))
    await tx.execute(WAKE)
    await wake_sockets(tx, id)


async def wake_sockets(tx: Connection, id: str, *, again_from: int | None = None) -> None:
    """Whoever holds a socket of it looks, once this is committed; with `again_from` also at
    what has that number or a later one and waits again."""
    await tx.execute(WAKE_SOCKETS, (id if again_from is None else f"{id} {again_from}",))


async def switch_off(tx: Connection, id: str) -> None:
    """Nothing more is collected or sent; what waits stays and is seen."""
    await tx.execute(SWITCH_OFF, (id,))
    await tx.execute(FORGET_TYPES, (id,))
    await wake_sockets(tx, id)


async def forget(tx: Connection, id: str) -> None:
    await tx.execute(FORGET, (id,))
    await wake_sockets(tx, id)


async def happened(tx: Connection, most: int) -> list[Happened]:
    return [Happened(*row) for row in await (await tx.execute(HAPPENED, (most,))).fetchall()]


async def interested(tx: Connection, types: Sequence[str]) -> list[Listener]:
    return [Listener(*row) for row in await (await tx.execute(INTERESTED, (types,))).fetchall()]


async def due(connection: Connection, now: datetime) -> list[tuple[str, datetime]]:
    rows = await (await connection.execute(DUE, {"now": now})).fetchall()
    return [(id, at) for id, at in rows]


async def listeners(connection: Connection, ids: Sequence[str]) -> dict[str, Listener]:
    rows = await (await connection.execute(THESE, (list(ids),))).fetchall()
    return {row[0]: Listener(*row) for row in rows}


async def listener(connection: Connection, id: str) -> Listener | None:
    return (await listeners(connection, [id])).get(id)


async def add(
    tx: Connection, listener: Listener, one: Happened, *, problem: str | None = None
) -> None:
    """Waits to be told, or is a dead letter from the start."""
    values = {
        "subscription": listener.id,
        "type": one.type,
        "id": one.id,
        "version": one.version,
        "deleted": one.deleted,
        "at": one.at,
        "state": "dead" if problem else "pending",
        "reason": problem,
    }
    await tx.execute(ADD, values)
    if listener.channel == "websocket":
        await wake_sockets(tx, listener.id)


async def pending(connection: Connection, subscription: str, most: int) -> list[Event]:
    rows = await (await connection.execute(PENDING, (subscription, most))).fetchall()
    return [Event(*row) for row in rows]


async def untold(
    connection: Connection, subscription: str, sent: int, newest: int, most: int
) -> list[Event]:
    cursor = await connection.execute(UNTOLD, (subscription, sent, newest, most))
    return [Event(*row) for row in await cursor.fetchall()]


async def between(
    connection: Connection, subscription: str, first: int, last: int, most: int
) -> list[Event]:
    cursor = await connection.execute(BETWEEN, (subscription, first, last, most))
    return [Event(*row) for row in await cursor.fetchall()]


async def dead(connection: Connection, subscription: str, after: int, most: int) -> list[Event]:
    cursor = await connection.execute(DEAD, (subscription, after, most))
    return [Event(*row) for row in await cursor.fetchall()]


async def settle(
    tx: Connection,
    subscription: str,
    numbers: list[int],
    state: str,
    reason: str | None,
    now: datetime,
) -> None:
    await tx.execute(SETTLE, (state, reason, now, subscription, numbers))


async def replay(
    tx: Connection, subscription: str, numbers: list[int] | None, now: datetime
) -> int:
    """Dead letters wait again, at the head of their queue; how many."""
    cursor = await tx.execute(REPLAY, {"id": subscription, "numbers": numbers})
    await tx.execute(TRY_NOW, (now, subscription))
    await tx.execute(WAKE)
    await wake_sockets(tx, subscription, again_from=1)
    return cursor.rowcount


async def prune(connection: Connection, now: datetime, *, dead_after: timedelta) -> None:
    await connection.execute(PRUNE, (now - KEEP_DELIVERED,))
    await connection.execute(GIVE_UP, {"now": now, "before": now - dead_after})


async def bury(connection: Connection, before: datetime) -> int:
    """Delete some of the letters that have been dead since before then; how many."""
    return (await connection.execute(BURY, (before,))).rowcount
