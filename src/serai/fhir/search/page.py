"""Runs a query: one page of visible matches, what they include, and how to go on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from serai.fhir.search.bounded import page_rows, within_time
from serai.fhir.search.catching_up import asks_for_words, catch_up
from serai.fhir.search.includes import included
from serai.fhir.search.paging import CURSOR, write_cursor
from serai.fhir.search.query import Query
from serai.fhir.search.resolving import resolved
from serai.fhir.search.sql import count_statement
from serai.fhir.stored import Stored, stored
from serai.fhir.visibility import require
from serai.kernel.actor import Actor
from serai.platform.db import Connection


@dataclass(frozen=True, slots=True)
class Entry:
    """`mode` is match or include (R4 §3.1.1.5.1)."""

    stored: Stored
    mode: str = "match"
    part: bytes | None = None

    @property
    def content(self) -> bytes:
        """What to show: the part asked for, or the resource as stored."""
        return self.stored.raw if self.part is None else self.part


@dataclass(frozen=True, slots=True)
class Page:
    """`links` maps self, first and next to a relative address such as ``Patient?family=Li``; a
    cursor leads forward only, so there is no previous.

    `total` is there when it was asked for, or costs nothing because all is on this page.
    """

    entries: tuple[Entry, ...]
    links: dict[str, str]
    total: int | None
    ignored: tuple[str, ...] = ()
    next: Query | None = None

    @property
    def matches(self) -> list[Stored]:
        return [entry.stored for entry in self.entries if entry.mode == "match"]


async def run(connection: Connection, query: Query, *, actor: Actor) -> Page:
    """The scope gate, the page and, where needed, the count and the includes."""
    query = _permitted(query, actor)
    if any(asks_for_words(one) for one in query.conditions):
        await catch_up(connection)
    query = await resolved(connection, query, actor)
    rows = await page_rows(connection, query, actor) if query.count else []
    shown = rows[: query.count]
    matches = [stored(row) for row in shown]
    more = len(rows) > len(shown)
    total = await _total(connection, query, actor, None if more else len(shown))
    extra = await included(connection, query, matches, actor=actor)
    entries = [
        *(_entry(query, one, "match") for one in matches),
        *(_entry(query, one, "include") for one in extra),
    ]
    links = {"self": _link(query)}
    if query.cursor:
        links["first"] = _link(replace(query, cursor=None))
    following = None
    if more:
        following = replace(query, cursor=tuple(str(value) for value in shown[-1][8:]))
        links["next"] = _link(following)
    return Page(tuple(entries), links, total, query.ignored, following)


def _entry(query: Query, one: Stored, mode: str) -> Entry:
    return Entry(one, mode, query.subset.of(one, mode) if query.subset else None)


def _permitted(query: Query, actor: Actor) -> Query:
    """A search over many types covers those the actor may search; one must remain."""
    types = tuple(kind for kind in query.types if actor.may("s", kind))
    if query.type or not types or any(name == "_type" for name, _ in query.applied):
        for kind in query.types:
            require(actor, "s", kind)
    return replace(query, types=types)


async def _total(
    connection: Connection, query: Query, actor: Actor, seen: int | None
) -> int | None:
    whole = query.count > 0 and query.cursor is None and seen is not None
    if whole:
        return seen
    if not query.total:
        return None
    statement, values = count_statement(query, actor)
    ((total,),) = await within_time(connection, statement, values)
    return int(total)


def _link(query: Query) -> str:
    """What was understood, and nothing else."""
    pairs = [pair for pair in query.applied if pair[0] != "_count"]
    pairs.append(("_count", str(query.count)))
    if query.cursor:
        pairs.append((CURSOR, write_cursor(query.cursor)))
    return f"{query.address}?{urlencode(pairs, safe='/:|,', quote_via=quote)}"
