"""The headers of a webhook hold its receiver's secrets: their values are sealed before they are
stored, and opened when something is sent.

Subscription, endpoint and header are bound in. So a reader sees that there is a secret, not which;
who writes back what was read changes nothing; who turns the endpoint elsewhere must know it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from serai.fhir import body
from serai.fhir.body import Body, Data
from serai.fhir.places import placing
from serai.fhir.subscriptions import endpoints
from serai.fhir.subscriptions.definition import Definition
from serai.kernel.errors import Invalid, Unavailable
from serai.platform.db import Connection
from serai.platform.encryption import sealing
from serai.platform.encryption.columns import AT_ONCE, Step
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.sealing import Place

PURPOSE = "subscriptions"
MARK = endpoints.SEALED

STORED = """SELECT id, version, content, table_name FROM (
        SELECT id, version, content, 'fhir_resource' AS table_name FROM fhir_resource
        WHERE type = 'Subscription' AND content IS NOT NULL
        UNION ALL
        SELECT id, version, content, 'fhir_version' FROM fhir_version
        WHERE type = 'Subscription' AND content IS NOT NULL) stored
    WHERE id || ' ' || lpad(version::text, 10, '0') > %(after)s
    ORDER BY id || ' ' || lpad(version::text, 10, '0') LIMIT %(most)s"""
# Whoever wrote it meanwhile has sealed it.
PUT = {
    table: f"UPDATE {table} SET content = %s WHERE type = 'Subscription' AND id = %s AND version = %s"  # noqa: S608, E501
    for table in ("fhir_resource", "fhir_version")
}
# The words that search knows of it are read again.
FORGET_WORDS = "DELETE FROM fhir_text WHERE type = 'Subscription' AND id = %s"
READ_AGAIN = "INSERT INTO fhir_text_pending (type, id) VALUES ('Subscription', %s)"


async def seal(keys: Keyring, id: str, wanted: Body) -> Body:
    """The resource to store; Invalid when a header is none, or was sealed for something else."""
    channel = wanted.data.get("channel")
    if not isinstance(channel, dict) or not channel.get("header"):
        return wanted
    with placing("Subscription.channel.header"):
        given = endpoints.headers(channel["header"])
        lines = [await _line(keys, _place(id, channel, name), name, value) for name, value in given]
    return body.of(wanted.data | {"channel": channel | {"header": lines}})


async def opened(keys: Keyring, id: str, wanted: Definition) -> Definition:
    """With what is to be sent; Unavailable when it cannot be opened."""
    channel = {"endpoint": wanted.endpoint}
    headers = [
        (name, (await _opened(keys, _place(id, channel, name), value)).decode())
        for name, value in wanted.headers
    ]
    return replace(wanted, headers=tuple(headers))


async def seal_anew(tx: Connection, keys: Keyring, after: str) -> Step:
    """Of every version there is: what was stored plain, and what an older key sealed."""
    rows = await (await tx.execute(STORED, {"after": after, "most": AT_ONCE})).fetchall()
    stuck: set[str] = set()
    for id, version, content, table in rows:
        try:
            made = await _renewed(keys, id, body.decode(content))
        except Unavailable:
            stuck |= _keys_of(body.decode(content))
            continue
        if made is None:
            continue
        await tx.execute(PUT[table].encode(), (body.encode(made), id, version))
        if table == "fhir_resource":
            await tx.execute(FORGET_WORDS, (id,))
            await tx.execute(READ_AGAIN, (id,))
    reached = f"{rows[-1][0]} {rows[-1][1]:010}" if rows else after
    return Step(reached, len(rows), frozenset(stuck))


async def _renewed(keys: Keyring, id: str, data: Data) -> Data | None:
    """None when nothing is to be done."""
    channel: Data = data.get("channel") or {}
    key = await keys.current(PURPOSE)
    lines, changed = [], False
    for line in channel.get("header") or ():
        name, _, value = str(line).partition(":")
        place, value = _place(id, channel, name), value.strip()
        if not value or (value.startswith(MARK) and sealing.key_of(_box(value)) == key.id):
            lines.append(line)
            continue
        secret = await _opened(keys, place, value)
        lines.append(f"{name}: {_said(sealing.sealed_with(key, secret, place))}")
        changed = True
    return data | {"channel": channel | {"header": lines}} if changed else None


async def _line(keys: Keyring, place: Place, name: str, value: str) -> str:
    if value.startswith(MARK):
        try:
            await _opened(keys, place, value)
        except Unavailable as error:
            if error.key != "keys.box-damaged":
                raise
            raise Invalid("subscription.header") from error
        return f"{name}: {value}"
    return f"{name}: {_said(await sealing.sealed(keys, value.encode(), place))}"


async def _opened(keys: Keyring, place: Place, value: str) -> bytes:
    if not value.startswith(MARK):
        return value.encode()
    return await sealing.opened(keys, _box(value), place)


def _place(id: str, channel: Any, name: str) -> Place:
    endpoint = str(channel.get("endpoint") or "")
    row = "\x00".join((id, endpoint, name.lower()))
    return Place(PURPOSE, "fhir_resource", "Subscription.channel.header", row)


def _said(box: bytes) -> str:
    return MARK + base64.b64encode(box).decode()


def _box(value: str) -> bytes:
    try:
        return base64.b64decode(value.removeprefix(MARK), validate=True)
    except (ValueError, binascii.Error) as error:
        raise Unavailable("keys.box-damaged") from error


def _keys_of(data: Data) -> set[str]:
    lines: Iterable[Any] = (data.get("channel") or {}).get("header") or ()
    values = [str(line).partition(":")[2].strip() for line in lines]
    found = set()
    for value in values:
        if value.startswith(MARK):
            box = base64.b64decode(value.removeprefix(MARK))
            found |= {sealing.key_of(box)} if sealing.is_sealed(box) else set()
    return found
