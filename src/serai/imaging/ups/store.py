"""Workitems as rows, and what is to be told of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timezone
from typing import Any, Final

import orjson

from serai.imaging.archive.header import issuer_of
from serai.imaging.archive.index import name_groups
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.ups import access
from serai.imaging.ups import attributes as a
from serai.imaging.ups.moments import offset, stretch
from serai.imaging.ups.states import State
from serai.imaging.ups.workitem import Workitem
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden, NotFound
from serai.platform.db import Connection

COLUMNS: Final = """state, transaction_uid, ended_at, issuer, patient_id, name_alphabetic,
    name_ideographic, name_phonetic, scheduled_start, expected_completion, expiration, modified,
    attributes"""
VALUES: Final = """%(state)s, %(transaction_uid)s, %(ended_at)s, %(issuer)s, %(patient_id)s,
    %(alphabetic)s, %(ideographic)s, %(phonetic)s, %(start)s, %(completion)s, %(expiration)s,
    %(modified)s, %(attributes)s::jsonb"""
ADD = f"""INSERT INTO imaging_workitem (id, owner, patients, {COLUMNS})
    VALUES (%(id)s, %(owner)s, %(patients)s, {VALUES}) ON CONFLICT DO NOTHING RETURNING id"""  # noqa: S608
PUT = f"UPDATE imaging_workitem SET ({COLUMNS}) = ROW ({VALUES}) WHERE id = %(id)s"  # noqa: S608
READ = """SELECT s.state, s.transaction_uid, s.attributes::text, s.patients, s.ended_at
    FROM imaging_workitem s WHERE s.id = %(id)s AND {visible}"""
# One at a time decides about a workitem, so that of many who claim it one wins.
TAKE = READ + " FOR NO KEY UPDATE OF s"
MAY_CHANGE = "SELECT 1 FROM imaging_workitem s WHERE s.id = %(id)s AND {changeable}"
HAS_LISTENERS = "SELECT EXISTS (SELECT 1 FROM imaging_workitem_subscription WHERE workitem = %s)"
CHANNEL: Final = "imaging_workitem_event"
LISTENER_KEY: Final = "md5({0}.organisation || ' ' || {0}.subscriber)"
# In the order given, for each subscriber of the workitem; their sockets wake with the commit.
TELL = f"""WITH told AS (
        INSERT INTO imaging_workitem_event (organisation, subscriber, workitem, at, content)
        SELECT l.organisation, l.subscriber, l.workitem, %(now)s, report.content
        FROM imaging_workitem_subscription l,
             jsonb_array_elements(%(reports)s::jsonb) WITH ORDINALITY AS report(content, place)
        WHERE l.workitem = %(id)s ORDER BY report.place
        RETURNING organisation, subscriber)
    SELECT pg_notify('{CHANNEL}', {LISTENER_KEY.format("t")})
    FROM (SELECT DISTINCT organisation, subscriber FROM told) t"""  # noqa: S608


async def add(tx: Connection, workitem: Workitem, owner: str | None) -> bool:
    """False when the UID is in use."""
    values = {**_row(workitem), "owner": owner, "patients": list(workitem.patients)}
    return await (await tx.execute(ADD.encode(), values)).fetchone() is not None


async def put(tx: Connection, workitem: Workitem) -> None:
    await tx.execute(PUT.encode(), _row(workitem))


async def read(connection: Connection, uid: str, *, actor: Actor) -> Workitem:
    return await _one(connection, READ, uid, actor)


async def take(tx: Connection, uid: str, *, actor: Actor) -> Workitem:
    """Held until the transaction ends, by somebody who may change it."""
    workitem = await _one(tx, TAKE, uid, actor)
    if not await may_change(tx, uid, actor=actor):
        raise Forbidden("ups.not-yours-to-change")
    return workitem


async def may_change(connection: Connection, uid: str, *, actor: Actor) -> bool:
    clause, values = access.changeable(actor)
    statement = MAY_CHANGE.format(changeable=clause).encode()
    row = await (await connection.execute(statement, {"id": uid, **values})).fetchone()
    return row is not None


async def tell(tx: Connection, uid: str, reports: Sequence[Attributes], now: datetime) -> None:
    """Event reports for everybody who is subscribed to the workitem."""
    if reports:
        values = {"id": uid, "reports": orjson.dumps(reports).decode(), "now": now}
        await tx.execute(TELL.encode(), values)


async def has_listeners(connection: Connection, uid: str) -> bool:
    row = await (await connection.execute(HAS_LISTENERS, (uid,))).fetchone()
    return row is not None and bool(row[0])


async def _one(connection: Connection, statement: str, uid: str, actor: Actor) -> Workitem:
    clause, values = access.visible(actor)
    cursor = await connection.execute(
        statement.format(visible=clause).encode(), {"id": uid, **values}
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("ups.no-such-workitem")
    state, transaction_uid, attributes, patients, ended_at = row
    return Workitem(
        uid, State(state), transaction_uid, orjson.loads(attributes), tuple(patients), ended_at
    )


def _row(workitem: Workitem) -> dict[str, Any]:
    told = workitem.attributes
    alphabetic, ideographic, phonetic = name_groups(told, a.PATIENT_NAME)
    zone = offset(first_text(told, a.TIMEZONE_OFFSET)) or UTC
    return {
        "id": workitem.id,
        "state": workitem.state.value,
        "transaction_uid": workitem.transaction_uid,
        "ended_at": workitem.ended_at,
        "issuer": issuer_of(told),
        "patient_id": first_text(told, a.PATIENT_ID),
        "alphabetic": alphabetic,
        "ideographic": ideographic,
        "phonetic": phonetic,
        "start": _moment(told, a.START, zone),
        "completion": _moment(told, a.EXPECTED_COMPLETION, zone),
        "expiration": _moment(told, a.EXPIRATION, zone),
        "modified": _moment(told, a.MODIFIED, zone),
        "attributes": orjson.dumps(told).decode(),
    }


def _moment(attributes: Attributes, tag: str, zone: timezone) -> datetime | None:
    found = stretch(first_text(attributes, tag), zone)
    return found[0] if found else None
