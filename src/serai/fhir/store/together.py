"""Reads that arrive at the same moment are answered by one statement.

Under load most of a read's cost is the round trip to the database, which a statement for ten
rows pays once. A lone read waits for nobody. Each batch is asked by one organisation's rules.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from serai.fhir.stored import COLUMNS, Stored, stored
from serai.fhir.visibility import Rules, clause, require, rules_of
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Gone, NotFound
from serai.platform.db import Connection, Database
from serai.platform.trail import Trail

MOST_AT_ONCE = 100

ONE = f"""SELECT {COLUMNS}, r.patients FROM fhir_resource r
    WHERE r.type = %(type)s AND r.id = %(id)s AND {{visible}}"""  # noqa: S608
SEVERAL = f"""SELECT {COLUMNS}, r.patients
    FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted(type, id)
    JOIN fhir_resource r ON r.type = wanted.type AND r.id = wanted.id
    WHERE {{visible}}"""  # noqa: S608

Wanted = tuple[str, str]
Seen = tuple[Stored, Sequence[str]]  # with the patients it is about
Answer = asyncio.Future[Seen | None]


class Reads:
    """One per process."""

    def __init__(self, db: Database, trail: Trail) -> None:
        self._db = db
        self._trail = trail
        self._waiting: defaultdict[Rules, dict[Wanted, Answer]]
        self._waiting = defaultdict(dict)
        self._tasks: dict[Rules, asyncio.Task[None]] = {}

    async def read(self, type: str, id: str, *, actor: Actor) -> Stored:
        """As `reading.read`: NotFound when it is not there for this actor, Gone when deleted."""
        require(actor, "r", type)
        rules = rules_of(actor)
        waiting = self._waiting[rules]
        answer = waiting.get((type, id))
        if answer is None:
            answer = waiting[type, id] = asyncio.get_running_loop().create_future()
        if rules not in self._tasks:
            self._tasks[rules] = asyncio.create_task(self._answer(rules, actor))
        # Shielded: one client that leaves must not take the answer from another.
        seen = await asyncio.shield(answer)
        if seen is None:
            raise NotFound("fhir.not-found", resource=f"{type}/{id}")
        found, patients = seen
        if found.deleted:
            raise Gone("fhir.gone", resource=found.reference)
        self._trail.note(
            actor, "fhir.read", found.reference,
            at=utc_now(), version=found.version, patients=patients,
        )  # fmt: skip
        return found

    async def _answer(self, rules: Rules, actor: Actor) -> None:
        """Until nobody waits; those who come meanwhile make the next batch."""
        try:
            while waiting := self._waiting.pop(rules, None):
                for some in _portions(waiting):
                    await self._answer_some(some, actor)
        finally:
            del self._tasks[rules]

    async def _answer_some(self, wanted: dict[Wanted, Answer], actor: Actor) -> None:
        try:
            async with self._db.connection() as connection:
                found = await _several(connection, list(wanted), actor)
        except Exception as error:  # noqa: BLE001 - whoever waits raises it
            for answer in wanted.values():
                answer.set_exception(error)
                answer.exception()  # seen, even when every client has left
            return
        for key, answer in wanted.items():
            answer.set_result(found.get(key))


def _portions(
    waiting: dict[Wanted, Answer],
) -> list[dict[Wanted, Answer]]:
    if len(waiting) <= MOST_AT_ONCE:
        return [waiting]
    items = list(waiting.items())
    return [dict(items[i : i + MOST_AT_ONCE]) for i in range(0, len(items), MOST_AT_ONCE)]


async def _several(
    connection: Connection, wanted: Sequence[Wanted], actor: Actor
) -> dict[Wanted, Seen]:
    visible, values = clause(actor)
    if len(wanted) == 1:
        statement = ONE
        values |= {"type": wanted[0][0], "id": wanted[0][1]}
    else:
        statement = SEVERAL
        values |= {"types": [kind for kind, _ in wanted], "ids": [id for _, id in wanted]}
    cursor = await connection.execute(statement.format(visible=visible), values, binary=True)
    return {(row[0], row[1]): (stored(row), row[8]) for row in await cursor.fetchall()}
