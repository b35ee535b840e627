"""Decides where a search starts: when few resources stand at the far end of a chain or `_has`, or
few have a measured value asked for, they are looked up first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from serai.fhir.search.bounded import planned_for, within_time
from serai.fhir.search.extract import references
from serai.fhir.search.keys import is_local
from serai.fhir.search.links import Tested, is_narrow
from serai.fhir.search.query import (
    Branch,
    Chain,
    Has,
    Ids,
    Keys,
    Quantities,
    Query,
    Test,
    Together,
)
from serai.fhir.search.row_tests import Parameters, value_rows
from serai.fhir.stored import COLUMNS, stored
from serai.fhir.visibility import require
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden
from serai.platform.db import Connection

# Up to here the far end of a link counts as few.
FEW = 500
# Where there are more, none is fetched.
FEW_IDS = f"SELECT array_agg(f.id) FROM ({{found}}) AS f HAVING count(*) <= {FEW}"  # noqa: S608


async def resolved(connection: Connection, query: Query, actor: Actor) -> Query:
    """The same query with links to few resources replaced by keys or ids."""
    narrow = any(is_narrow(one) for one in query.conditions)
    step = Resolving(connection, actor, query.base)
    if query.type and not narrow:
        query = await step.started(query)
    if not any(isinstance(one, Chain | Has) for one in query.conditions):
        return query
    tests = [await step.resolve(query.type, one, row_by_row=narrow) for one in query.conditions]
    return replace(query, conditions=tuple(tests))


@dataclass(frozen=True, slots=True)
class Resolving:
    """For whom and on which connection; `base` is this server's own address."""

    connection: Connection
    actor: Actor
    base: str

    async def started(self, query: Query) -> Query:
        """The first measured value that few resources have gives their ids to start from."""
        for position, test in enumerate(query.conditions):
            if not isinstance(test, Quantities | Together):
                continue
            bound = Parameters()
            found = f"{value_rows(query.type, test, bound)} LIMIT {FEW + 1}"
            asked = FEW_IDS.format(found=found)
            rows = await planned_for(self.connection, asked, bound.values)
            if rows:
                few = Ids(tuple(sorted(set(rows[0][0] or ()))))
                before, after = query.conditions[:position], query.conditions[position + 1 :]
                return replace(query, conditions=(*before, few, *after))
        return query

    async def resolve(self, kind: str, test: Test, *, row_by_row: bool) -> Test:
        match test:
            case Chain():
                branches = [await self._branch(one) for one in self._allowed(test.branches)]
                chain = replace(test, branches=tuple(branches))
                return chain if is_narrow(chain) else await self._chain(kind, chain)
            case Has():
                require(self.actor, "s", test.source.type)
                has = replace(test, source=await self._branch(test.source))
                return has if row_by_row else await self._has(kind, has)
        return test

    async def _branch(self, branch: Branch) -> Branch:
        return replace(branch, test=await self.resolve(branch.type, branch.test, row_by_row=False))

    def _allowed(self, branches: tuple[Branch, ...]) -> list[Branch]:
        """An untyped chain goes only where the actor may search."""
        allowed = [one for one in branches if self.actor.may("s", one.type)]
        if not allowed:
            raise Forbidden("fhir.scope", interaction="s", type=branches[0].type)
        return allowed

    async def _chain(self, kind: str, chain: Chain) -> Test:
        bound = Parameters()
        statement = Tested(kind, self.actor, bound, row_by_row=False).keys_to(chain)
        limited = f"SELECT * FROM ({statement}) AS found LIMIT {FEW + 1}"  # noqa: S608
        rows = await self._rows(limited, bound)
        if len(rows) > FEW:
            return chain
        return Keys(tuple(sorted({int(key) for (key,) in rows})), narrow=True)

    async def _has(self, kind: str, has: Has) -> Test:
        bound = Parameters()
        statement = Tested(kind, self.actor, bound, row_by_row=False).found(has.source, COLUMNS)
        rows = await self._rows(f"{statement} LIMIT {FEW + 1}", bound)
        if len(rows) > FEW:
            return has
        found = {
            str(one.id)
            for row in rows
            for one in references(stored(row).data, has.param)
            if one.type == kind and is_local(one, self.base)
        }
        return Ids(tuple(sorted(found)))

    async def _rows(self, statement: str, bound: Parameters) -> list[tuple[Any, ...]]:
        return await within_time(self.connection, statement, bound.values)
