"""The codes of a value set, a page at a time (R4 §4.10.6).

Total and page come from one statement, so that a value set changed meanwhile is seen either
before or after, never in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serai.fhir.body import Data
from serai.fhir.terminology.artifacts import split
from serai.fhir.terminology.compose import Composed, Composer
from serai.fhir.terminology.known import Known
from serai.fhir.terminology.running import run
from serai.fhir.terminology.words import as_query
from serai.kernel.errors import Invalid, TooLarge
from serai.platform.db import Connection

# Without count no more is sent than this, and never more at once.
MOST = 10_000

# Two rules may name the same code: the first one counts.
_ONCE = """SELECT DISTINCT ON (system, code) * FROM ({rows}) every ORDER BY system, code, place"""
_WANTED = """SELECT x.system, x.code, x.display, x.designations, x.inactive, x.abstract, x.concept,
    x.place FROM ({rows}) x WHERE {conditions}"""

_PAGE = """WITH rows AS MATERIALIZED (
        {rows}
    ), page AS (
        SELECT * FROM rows ORDER BY place LIMIT {count} OFFSET {offset}
    )
    SELECT (SELECT count(*) FROM rows), p.system, p.code, p.display, p.designations, p.inactive,
        p.abstract, c.facts
    FROM (SELECT 1) one LEFT JOIN page p ON true
    LEFT JOIN terminology_concept c ON c.id = p.concept ORDER BY p.place"""


@dataclass(frozen=True, slots=True)
class Wish:
    """How the client wants it."""

    filter: str | None = None
    offset: int = 0
    count: int | None = None
    designations: bool = False
    designation: tuple[str, ...] = ()
    active_only: bool = False
    nested: bool = False
    selectable_only: bool = False
    language: str | None = None
    without: tuple[str, ...] = ()
    checked: Mapping[str, str] = field(default_factory=dict)

    @property
    def paged(self) -> bool:
        return self.count is not None or self.offset > 0


@dataclass(frozen=True, slots=True)
class Expansion:
    """`used` names the code systems with their versions, as expansion.parameter."""

    total: int
    contains: list[Data]
    used: list[Data]


async def expand(connection: Connection, known: Known, canonical: str, wish: Wish) -> Expansion:
    composer = Composer(known, strict=True)
    composed = composer.compose(canonical)
    _check_versions(composed, wish)
    conditions = " AND ".join(_conditions(composer, composed, wish))
    rows = _WANTED.format(rows=composed.sql, conditions=conditions)
    sql = _PAGE.format(
        rows=_ONCE.format(rows=rows) if composed.may_repeat else rows,
        count=composer.put(MOST if wish.count is None else wish.count),
        offset=composer.put(wish.offset),
    )
    found = await run(connection, sql, composer.values, bounded=composed.has_regex)
    total = found[0][0]
    if wish.count is None and total - wish.offset > MOST:
        raise TooLarge("terminology.too-costly", most=MOST)
    entries = [row[1:] for row in found if row[2] is not None]
    contains = [_contained(row, wish) for row in entries]
    if wish.nested and not wish.paged and wish.filter is None:
        contains = _nested(contains, entries)
    return Expansion(total, contains, _used(composed))


def _conditions(composer: Composer, composed: Composed, wish: Wish) -> list[str]:
    conditions = ["TRUE"]
    if wish.filter is not None:
        query = as_query(wish.filter)
        conditions.append(f"x.words @@ {composer.put(query)}::tsquery" if query else "FALSE")
    if wish.active_only:
        conditions.append("NOT x.inactive")
    if wish.selectable_only:
        conditions.append("NOT x.abstract")
    if excluded := _excluded(composed, wish):
        conditions.append(f"x.system <> ALL({composer.put(excluded)}::text[])")
    return conditions


def _excluded(composed: Composed, wish: Wish) -> list[str]:
    named = [split(one) for one in wish.without]
    return [
        url
        for url, version in named
        if version is None or (url in composed.systems and composed.systems[url].version == version)
    ]


def _check_versions(composed: Composed, wish: Wish) -> None:
    for url, version in wish.checked.items():
        used = composed.systems.get(url)
        if used is not None and used.version != version:
            raise Invalid("terminology.other-version", system=url[:200], version=used.version)


def _contained(row: tuple[Any, ...], wish: Wish) -> Data:
    system, code, display, designations, inactive, abstract, _ = row
    one: Data = {"system": system, "code": code}
    if abstract:
        one["abstract"] = True
    if inactive:
        one["inactive"] = True
    shown = in_language(designations or [], wish.language) or display
    if shown:
        one["display"] = shown
    if wish.designations or wish.designation:
        listed = [each for each in designations or [] if _is_wanted(each, wish.designation)]
        if listed:
            one["designation"] = listed
    return one


def in_language(designations: list[Data], language: str | None) -> str | None:
    """The display in the language asked for; en finds en-GB, the other way round does not."""
    if language is None:
        return None
    wanted = language.lower()
    for one in designations:
        has = str(one.get("language", "")).lower()
        if has == wanted or has.startswith(wanted + "-"):
            return str(one["value"])
    return None


def _is_wanted(designation: Data, tokens: tuple[str, ...]) -> bool:
    """Each token is a use or a language, as system|code or code."""
    use = designation.get("use", {})
    for token in tokens:
        system, bar, code = token.rpartition("|")
        if code in (designation.get("language"), use.get("code")) and (
            not bar or system in ("urn:ietf:bcp:47", use.get("system"))
        ):
            return True
    return not tokens


def _nested(contains: list[Data], rows: list[tuple[Any, ...]]) -> list[Data]:
    """Each code below its first parent that is in the set too."""
    places = {(one["system"], one["code"]): one for one in contains}
    tops: list[Data] = []
    for one, row in zip(contains, rows, strict=True):
        parents = [fact[7:] for fact in row[6] or [] if fact.startswith("parent=")]
        above = next((places[key] for p in parents if (key := (one["system"], p)) in places), None)
        (above.setdefault("contains", []) if above is not None else tops).append(one)
    return tops


def _used(composed: Composed) -> list[Data]:
    return [
        {"name": "version", "valueUri": f"{one.url}|{one.version}" if one.version else one.url}
        for one in sorted(composed.systems.values(), key=lambda each: each.url)
    ]
