"""`_include` and `_revinclude` (R4 §3.1.1.5.4), inside what the actor may read.

Each round costs at most three statements, however many resources are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.search.criteria import honoured
from serai.fhir.search.extract import references
from serai.fhir.search.indexed import ReferenceValue
from serai.fhir.search.keys import is_local, key
from serai.fhir.search.query import Include, Query
from serai.fhir.stored import COLUMNS, Stored, stored
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor
from serai.kernel.errors import TooLarge
from serai.platform.db import Connection

MOST_INCLUDED = 2000
# How far `:iterate` goes; what takes longer is a list, not a neighbourhood.
MOST_ROUNDS = 20

# By identity, the resources that matches point to.
POINTED_TO = """SELECT {columns} FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted(type, id)
    JOIN fhir_resource r ON r.type = wanted.type AND r.id = wanted.id
    WHERE NOT r.deleted AND {visible} LIMIT %(most)s"""

# By key, the resources that point to matches, or that have an address matches name.
BY_KEY = """SELECT {columns} FROM fhir_resource r
    WHERE r.keys && %(keys)s::bigint[] AND NOT r.deleted AND {visible}
    ORDER BY r.type, r.id LIMIT %(most)s"""


async def included(
    connection: Connection, query: Query, matches: Sequence[Stored], *, actor: Actor
) -> list[Stored]:
    """Each resource once, never one that is a match itself."""
    if not query.includes or not matches:
        return []
    gathering = Gathering(connection, actor, query.base, {one.reference for one in matches})
    includes: Sequence[Include] = query.includes
    newest: Sequence[Stored] = matches
    for _ in range(MOST_ROUNDS):
        newest = await gathering.round(includes, newest)
        includes = [one for one in query.includes if one.iterates]
        if not newest or not includes:
            return gathering.found
    raise TooLarge("search.include-too-far", most=MOST_ROUNDS)


@dataclass(slots=True)
class Gathering:
    """What has been included so far; `seen` also names the matches."""

    connection: Connection
    actor: Actor
    base: str
    seen: set[str]
    found: list[Stored] = field(default_factory=list)

    async def round(self, includes: Sequence[Include], rows: Sequence[Stored]) -> list[Stored]:
        """The resources that these includes add to those rows, and nothing seen before."""
        forward = [one for one in includes if not one.reversed]
        pointers = [found for row in rows for found in self._references(row, forward)]
        new = self._fresh(await self._pointed_to(pointers))
        new += self._fresh(await self._named(pointers))
        new += self._fresh(await self._pointing([o for o in includes if o.reversed], rows))
        return new

    def _fresh(self, rows: Iterable[Stored]) -> list[Stored]:
        new = [row for row in rows if row.reference not in self.seen]
        self.seen.update(row.reference for row in new)
        self.found += new
        if len(self.found) > MOST_INCLUDED:
            raise TooLarge("search.too-many-included", most=MOST_INCLUDED)
        return new

    def _references(self, row: Stored, includes: Sequence[Include]) -> Iterator[ReferenceValue]:
        for include in includes:
            for param in _parameters(include, row.type):
                for one in _as_written(references(row.data, param)):
                    if include.target in (None, one.type) or one.type is None:
                        yield one

    async def _pointed_to(self, pointers: Sequence[ReferenceValue]) -> list[Stored]:
        wanted = {
            (str(one.type), str(one.id))
            for one in pointers
            if is_local(one, self.base) and self.actor.may("r", str(one.type))
        }
        ordered = sorted(one for one in wanted if "/".join(one) not in self.seen)
        if not ordered:
            return []
        types, ids = [kind for kind, _ in ordered], [id for _, id in ordered]
        return await self._rows(POINTED_TO, {"types": types, "ids": ids})

    async def _named(self, pointers: Sequence[ReferenceValue]) -> list[Stored]:
        """Canonical references: by address, in the version they name if any (R4 §2.3.0.4)."""
        wanted = {one.url for one in pointers if one.url and not is_local(one, self.base)}
        if not wanted:
            return []
        addresses = {url.partition("|")[0] for url in wanted}
        kinds = [kind for kind in _CANONICAL if self.actor.may("r", kind)]
        keys = [key("uri", kind, "url", one) for kind in kinds for one in sorted(addresses)]
        rows = await self._rows(BY_KEY, {"keys": keys})
        return [row for row in rows if not wanted.isdisjoint(_addresses(row))]

    async def _pointing(self, includes: Sequence[Include], rows: Sequence[Stored]) -> list[Stored]:
        keys = {
            key("ref", include.source, param, row.reference)
            for include in includes
            if self.actor.may("r", include.source)
            for row in rows
            if include.target in (None, row.type)
            for param in _parameters(include, include.source)
        }
        return await self._rows(BY_KEY, {"keys": sorted(keys)}) if keys else []

    async def _rows(self, statement: str, values: dict[str, Any]) -> list[Stored]:
        visible, shown = clause(self.actor)
        written = statement.format(columns=COLUMNS, visible=visible)
        values |= shown | {"most": MOST_INCLUDED + 1}
        cursor = await self.connection.execute(written, values, binary=True)
        return [stored(row) for row in await cursor.fetchall()]


# Types that others name by their canonical address.
_CANONICAL = sorted(kind for kind in RESOURCE_TYPES if "url" in honoured(kind))


def _parameters(include: Include, kind: str) -> list[str]:
    """The reference parameters of a type that the include follows; ``*`` is every one."""
    if include.source not in ("*", kind):
        return []
    if include.param != "*":
        return [include.param]
    return [code for code, one in honoured(kind).items() if one.type == "reference"]


def _as_written(found: list[ReferenceValue]) -> Iterator[ReferenceValue]:
    """A canonical with a version is also indexed without; it means the one it names."""
    versioned = {one.url.partition("|")[0] for one in found if one.url and "|" in one.url}
    return (one for one in found if one.url not in versioned)


def _addresses(row: Stored) -> set[str]:
    url, version = row.data.get("url", ""), row.data.get("version", "")
    return {url, f"{url}|{version}"}
