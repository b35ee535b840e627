"""History of one resource, one type or everything, newest first (R4 §3.1.0.11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from serai.fhir.search.intervals import Interval
from serai.fhir.search.paging import CURSOR, moment, write_cursor
from serai.fhir.stored import COLUMNS, Stored, stored
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden, Malformed, NotFound
from serai.platform.db import Connection

# Each half brings its own first rows in index order; only those few are merged and sorted.
HISTORY = f"""SELECT {COLUMNS} FROM (
    (SELECT {COLUMNS} FROM fhir_resource r
     WHERE {{wanted}} AND {{visible}} ORDER BY {{order}} LIMIT %(limit)s)
    UNION ALL
    (SELECT {COLUMNS} FROM fhir_version r
     WHERE {{wanted}} AND {{visible}} ORDER BY {{order}} LIMIT %(limit)s)
) r ORDER BY {{order}} LIMIT %(limit)s"""  # noqa: S608

ORDER = "r.last_updated DESC, r.type, r.id, r.version DESC"
BEHIND = """(r.last_updated < %(last)s OR (r.last_updated = %(last)s
    AND ((r.type, r.id) > (%(last_type)s, %(last_id)s)
         OR ((r.type, r.id) = (%(last_type)s, %(last_id)s) AND r.version < %(last_version)s))))
    AND r.last_updated <= %(last)s"""


# Current until a later version replaced it. One the actor may not see replaces nothing for them:
# what they get must not tell that it exists.
REPLACED = """EXISTS (SELECT FROM {table} n WHERE n.type = r.type AND n.id = r.id
    AND n.version > r.version AND n.last_updated <= %(from)s AND {visible})"""
COUNT = """SELECT (SELECT count(*) FROM fhir_resource r WHERE {wanted} AND {visible})
    + (SELECT count(*) FROM fhir_version r WHERE {wanted} AND {visible})"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the history is wanted: everything, a type, or one resource. `at` is the period in
    which a version was current, [from, to) in UTC."""

    type: str | None = None
    id: str | None = None
    count: int = 50
    since: datetime | None = None
    at: Interval | None = None
    at_text: str = ""
    cursor: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """One page; `links` hold addresses relative to the FHIR base. `total` counts all pages where
    that is cheap."""

    entries: tuple[Stored, ...]
    links: dict[str, str]
    total: int | None = None


async def history(connection: Connection, asked: Asked, *, actor: Actor) -> Versions:
    """Every version the actor may see, deletions included."""
    _require(actor, asked.type)
    wanted, values = _wanted(asked, actor)
    visible, more = _visible(asked, actor)
    values |= more
    statement = HISTORY.format(wanted=_behind(asked, wanted), visible=visible, order=ORDER)
    position = _position(asked.cursor) | {"limit": asked.count + 1}
    rows = await (await connection.execute(statement, values | position, binary=True)).fetchall()
    entries = tuple(map(stored, rows[: asked.count]))
    if not entries and asked.count and _is_plain(asked):
        raise NotFound("fhir.not-found", resource=f"{asked.type}/{asked.id}")
    links = {"self": _link(asked, asked.cursor)}
    total = len(rows) if asked.cursor is None and len(rows) <= asked.count else None
    if total is None and asked.id is not None:
        counted = await connection.execute(COUNT.format(wanted=wanted, visible=visible), values)
        total = (await counted.fetchone() or (0,))[0]
    if len(rows) > asked.count and entries:
        last = entries[-1]
        after = (last.last_updated.isoformat(), last.type, last.id, str(last.version))
        links["next"] = _link(asked, after)
    return Versions(entries, links, total)


def _is_plain(asked: Asked) -> bool:
    """Whether nothing but the resource itself not being there leaves nothing to show."""
    narrowed = (asked.cursor, asked.since, asked.at)
    return asked.id is not None and all(one is None for one in narrowed)


def _visible(asked: Asked, actor: Actor) -> tuple[str, dict[str, Any]]:
    visible, values = clause(actor)
    readable = _readable(actor) if asked.type is None else None
    if readable is None:
        return visible, values
    return f"{visible} AND r.type = ANY (%(readable)s::text[])", values | {"readable": readable}


def _require(actor: Actor, resource_type: str | None) -> None:
    """History needs the right to read what it shows."""
    allowed = actor.may("r", resource_type) if resource_type else bool(actor.scopes)
    if not allowed:
        raise Forbidden("fhir.scope", interaction="r", type=resource_type or "*")


def _readable(actor: Actor) -> list[str] | None:
    """The types a system history may show; None means all."""
    if actor.may("r", "*"):
        return None
    plain = (scope.partition("?")[0] for scope in actor.scopes)
    granted = (scope.partition("/")[2].partition(".") for scope in plain)
    return sorted({kind for kind, _, interactions in granted if "r" in interactions})


def _wanted(asked: Asked, actor: Actor) -> tuple[str, dict[str, Any]]:
    parts, values = ["TRUE"], dict[str, Any]()
    for column, value in (("type", asked.type), ("id", asked.id)):
        if value is not None:
            parts.append(f"r.{column} = %({column})s")
            values[column] = value
    if asked.since is not None:
        parts.append("r.last_updated >= %(since)s")
        values["since"] = asked.since
    if asked.at is not None:
        parts.append("r.last_updated < %(to)s")
        later, _ = clause(actor, "n")
        parts += [
            f"NOT {REPLACED.format(table=table, visible=later)}"
            for table in ("fhir_resource", "fhir_version")
        ]
        values |= {"from": asked.at[0], "to": asked.at[1]}
    return " AND ".join(parts), values


def _behind(asked: Asked, wanted: str) -> str:
    return wanted if asked.cursor is None else f"{wanted} AND {BEHIND}"


def _position(cursor: tuple[str, ...] | None) -> dict[str, Any]:
    if cursor is None:
        return {}
    if len(cursor) != 4 or not (cursor[3].isascii() and cursor[3].isdecimal()):
        raise Malformed("search.cursor", parameter=CURSOR)
    return {
        "last": moment(cursor[0]),
        "last_type": cursor[1],
        "last_id": cursor[2],
        "last_version": int(cursor[3][:9]),
    }


def _link(asked: Asked, cursor: tuple[str, ...] | None) -> str:
    path = "/".join([part for part in (asked.type, asked.id) if part] + ["_history"])
    pairs = [("_count", str(asked.count))]
    if asked.since is not None:
        pairs.append(("_since", asked.since.isoformat()))
    if asked.at is not None:
        pairs.append(("_at", asked.at_text))
    if cursor is not None:
        pairs.append((CURSOR, write_cursor(cursor)))
    return f"{path}?{urlencode(pairs, quote_via=quote)}"
