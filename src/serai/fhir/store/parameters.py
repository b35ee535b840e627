"""SearchParameter resources take effect: checked when written, noticed by every process.

A write changes one row in its own transaction; each process looks at that row once a second, and
at each of its requests for a moment after it wrote one itself.
"""

from __future__ import annotations

import asyncio
import logging
import re
from time import monotonic
from typing import Final, TypeGuard

import psycopg

from serai.fhir.body import Data, decode
from serai.fhir.definitions import RESOURCE_TYPES, search_parameters
from serai.fhir.search import expression, own
from serai.fhir.search.evaluating import CannotEvaluate, evaluate, is_well_formed
from serai.fhir.search.expression import NotUnderstood
from serai.fhir.search.keys import key
from serai.fhir.search.plan import emits
from serai.fhir.store.changes import Change
from serai.kernel.errors import Invalid, Issue, Unavailable
from serai.platform.db import Connection, Database

log = logging.getLogger(__name__)

OFTEN_S: Final = 1.0
# How long after a write of this process each of its requests looks.
JUST_WRITTEN_S: Final = 2.0
LONGEST_EXPRESSION: Final = 4000
TYPES: Final = frozenset({"token", "reference", "string", "date", "uri", "number", "quantity"})

_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

BUMP = "UPDATE fhir_search_change SET version = gen_random_uuid()"
VERSION = "SELECT version::text FROM fhir_search_change"
ACTIVE = """SELECT r.content FROM fhir_resource r
    WHERE r.type = 'SearchParameter' AND NOT r.deleted AND r.keys @> ARRAY[%s::bigint]"""


class Watch:
    """What this process knows, and when it has to look again."""

    version: str | None = None

    def __init__(self) -> None:
        self._has_looked = False
        self._until = 0.0

    @property
    def is_due(self) -> bool:
        return not self._has_looked or monotonic() < self._until

    async def guard(self, tx: Connection, change: Change) -> bool:
        """Refuses what could not be searched by; vouches for nothing."""
        if _is_active(change.new):
            await _check(tx, change.id, change.new)
        if _is_active(change.new) or _is_active(change.old):
            await tx.execute(BUMP)
            self._until = monotonic() + JUST_WRITTEN_S
        return False

    async def look(self, connection: Connection) -> None:
        row = await (await connection.execute(VERSION)).fetchone()
        version = str(row[0]) if row else None
        self._has_looked = True
        if version == Watch.version:
            return
        own.take(await _active(connection))
        # For the process, as are the parameters.
        Watch.version = version


async def keep_looking(db: Database, watch: Watch) -> None:
    """Once a second, until cancelled."""
    while True:
        try:
            async with db.connection() as connection:
                await watch.look(connection)
        except (psycopg.Error, Unavailable):
            log.warning("the search parameters could not be looked at", exc_info=True)
        await asyncio.sleep(OFTEN_S)


async def _active(connection: Connection) -> list[Data]:
    wanted = key("code", "SearchParameter", "status", "active")
    cursor = await connection.execute(ACTIVE, [wanted], binary=True)
    return [decode(content) for (content,) in await cursor.fetchall()]


def _is_active(data: Data | None) -> TypeGuard[Data]:
    return data is not None and data.get("status") == "active"


async def _check(tx: Connection, id: str, data: Data) -> None:
    issues = [*_of_base(data), *_of_code(data), *_of_type(data)] or _of_expression(data)
    if not issues:
        # The row is locked until the end, so that two cannot take one code at the same moment.
        await tx.execute(BUMP)
        issues = await _taken(tx, id, data)
    if issues:
        raise Invalid("fhir.invalid", issues=tuple(issues))


def _issue(key: str, element: str, **details: object) -> Issue:
    return Issue("business-rule", key, f"SearchParameter.{element}", details=details)


def _of_base(data: Data) -> list[Issue]:
    known = RESOURCE_TYPES | {"Resource", "DomainResource"}
    return [
        _issue("search-parameter.base", f"base[{position}]")
        for position, base in enumerate(data["base"])
        if base not in known
    ]


def _of_code(data: Data) -> list[Issue]:
    code = data["code"]
    if not _CODE.fullmatch(code):
        return [_issue("search-parameter.code", "code")]
    taken = [kind for kind in own.types_of(data) if code in search_parameters(kind)]
    return [_issue("search-parameter.code-taken", "code", type=kind) for kind in taken[:1]]


def _of_type(data: Data) -> list[Issue]:
    return [] if data["type"] in TYPES else [_issue("search-parameter.type", "type")]


def _of_expression(data: Data) -> list[Issue]:
    """Each base must have something that the expression can find."""
    text = data.get("expression", "")
    if not text or len(text) > LONGEST_EXPRESSION:
        return [_issue("search-parameter.expression", "expression")]
    for kind in own.types_of(data):
        if not _leads_somewhere(kind, data, text):
            return [_issue("search-parameter.expression", "expression")]
    return []


def _leads_somewhere(kind: str, data: Data, text: str) -> bool:
    try:
        expression.read(text)
    except NotUnderstood:
        return _evaluates(kind, text)
    return any(True for _ in emits(kind, own.parameter(data)))


def _evaluates(kind: str, text: str) -> bool:
    if not is_well_formed(text):
        return False
    try:
        evaluate(text, {"resourceType": kind})
    except CannotEvaluate:
        return False
    return True


async def _taken(tx: Connection, id: str, data: Data) -> list[Issue]:
    others = await _active(tx)
    wanted = set(own.types_of(data))
    return [
        _issue("search-parameter.code-taken", "code", type=min(both))
        for one in others
        if one["id"] != id and one["code"] == data["code"]
        if (both := wanted.intersection(own.types_of(one)))
    ][:1]
