"""A checked query to SQL. Every value travels as a parameter; only names made here are text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from serai.fhir.search import alphabetical, links
from serai.fhir.search.paging import CURSOR, moment, number
from serai.fhir.search.query import Quantities, Query, SortKey, Test, Together
from serai.fhir.search.row_tests import Parameters
from serai.fhir.search.stored_under import stored_under
from serai.fhir.stored import COLUMNS
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor
from serai.kernel.errors import Malformed

# FILTER keeps the planner from walking the whole parameter's index for the first row that
# happens to be this one.
_VALUE_OF_ROW = """(SELECT {value} FILTER (WHERE TRUE) FROM fhir_{table} v
    WHERE v.type = r.type AND v.id = r.id AND v.param = ANY ({params}::text[]))"""

# By kind and direction: of several values the one that sorts first counts, and rows without any
# come last (R4 §3.1.1.5).
_SORT_VALUES = {
    ("date", False): ("min(v.low)", "coalesce(extract(epoch FROM {value}), 'Infinity')"),
    ("date", True): ("max(v.high)", "coalesce(extract(epoch FROM {value}), '-Infinity')"),
    ("quantity", False): (
        "min(coalesce(v.measured_low, v.low))",
        "coalesce({value}, 'Infinity')",
    ),
    ("quantity", True): (
        "max(coalesce(v.measured_high, v.high))",
        "coalesce({value}, '-Infinity')",
    ),
    ("string", False): ("min(v.value)", "coalesce({value}, U&'\\+10FFFF')"),
    ("string", True): ("max(v.value)", "coalesce({value}, '')"),
}

# What a row is tested and sorted by.
_HELD = "r.ctid AS place, r.type, r.id, r.last_updated, r.deleted, r.owner, r.patients, r.keys"

# What a row is sorted by without looking elsewhere.
_OWN = {"id": "r.id", "type": "r.type", "updated": "r.last_updated", "word": "r.word"}


# What is walked, tested and sorted is narrow; the content is looked up for the page alone, by where
# its row lies: nothing moves a row while one statement looks. OFFSET keeps it a look per row.
_PAGE = """{held} page AS MATERIALIZED (
    SELECT r.place, {names}
    FROM (SELECT {place} AS place, {selected} FROM {table} r WHERE {where}) r
    WHERE {after} ORDER BY {order} LIMIT {limit})
SELECT {columns}, {shown} FROM page
CROSS JOIN LATERAL (SELECT {columns} FROM fhir_resource r WHERE r.ctid = page.place OFFSET 0) r
ORDER BY {page_order}"""


def page_statement(query: Query, actor: Actor) -> tuple[str, dict[str, Any]]:
    """One row more than the page holds tells whether there is another."""
    bound = Parameters()
    only = alphabetical.alone(query)
    several = () if query.type else (SortKey("_type", "type", descending=False),)
    asked = alphabetical.ORDER if only else query.sort
    sort = (*asked, *several, SortKey("_id", "id", descending=False))
    if only:
        walked = alphabetical.walked(query.type, only, actor, bound)
        source = Source("", walked, "TRUE", "r.place")
    else:
        source = _source(query, actor, bound)
    values = [_sort_value(query.type, one, bound) for one in sort]
    names = [f"sort{position}" for position in range(len(sort))]
    statement = _PAGE.format(
        held=f"WITH {source.held}{',' if source.held else ''}",
        names=", ".join(f"r.{name}" for name in names),
        place=source.place,
        selected=", ".join(f"{v} AS {name}" for v, name in zip(values, names, strict=True)),
        table=source.table,
        where=source.where,
        after=_after(query.cursor, sort, names, bound) if query.cursor else "TRUE",
        order=_order("r", sort, names),
        limit=bound.bind(query.count + 1),
        columns=COLUMNS,
        shown=", ".join(f"page.{name}::text" for name in names),
        page_order=_order("page", sort, names),
    )
    return statement, bound.values


def _order(table: str, sort: tuple[SortKey, ...], names: list[str]) -> str:
    """Qualified, since a bare sort0 in ORDER BY would mean the text that is shown."""
    return ", ".join(
        f"{table}.{name} {'DESC' if one.descending else 'ASC'}"
        for name, one in zip(names, sort, strict=True)
    )


def _sort_value(kind: str, one: SortKey, bound: Parameters) -> str:
    if one.kind in _OWN:
        return _OWN[one.kind]
    value, wrapped = _SORT_VALUES[one.kind, one.descending]
    params = bound.bind(list(stored_under(kind, one.param)))
    return wrapped.format(value=_VALUE_OF_ROW.format(value=value, table=one.kind, params=params))


def count_statement(query: Query, actor: Actor) -> tuple[str, dict[str, Any]]:
    bound = Parameters()
    source = _source(replace(query, count=0), actor, bound)
    held = f"WITH {source.held} " if source.held else ""
    statement = f"{held}SELECT count(*) FROM {source.table} r WHERE {source.where}"  # noqa: S608
    return statement, bound.values


@dataclass(frozen=True, slots=True)
class Source:
    """Where matches come from: a table, or for a narrow query the few rows `held` by keys."""

    held: str
    table: str
    where: str
    place: str = "r.ctid"


def _source(query: Query, actor: Actor, bound: Parameters) -> Source:
    """A narrow query is made to start from its keys, whatever the planner believes: before the
    first ANALYZE it would rather walk every date of the type. Keys carry the type in them."""
    visible, parameters = clause(actor)
    bound.values.update(parameters)
    by_key = [one for one in query.conditions if links.has_keys(one)]
    others = [one for one in query.conditions if not links.has_keys(one)]
    narrow = any(links.is_narrow(one) for one in by_key)
    tested = links.Tested(query.type, actor, bound, row_by_row=narrow or _is_walked(query, by_key))
    held = tested.held(by_key)
    tests = [tested.test(one) for one in others]
    if query.type:
        of_type = f"r.type = {bound.bind(query.type)}"
    else:
        of_type = f"r.type = ANY ({bound.bind(list(query.types))}::text[])"
    where = " AND ".join([of_type, "NOT r.deleted", *tests, visible])
    if not narrow:
        return Source("", "fhir_resource", " AND ".join([where, *held]))
    rows = f"SELECT {_HELD} FROM fhir_resource r WHERE {' AND '.join(held)}"  # noqa: S608
    return Source(f"held AS MATERIALIZED ({rows})", "held", where, "r.place")


def _is_walked(query: Query, by_key: list[Test]) -> bool:
    """A value that many have, and no order asked for: the page fills after few rows."""
    measured = any(isinstance(one, Quantities | Together) for one in query.conditions)
    return measured and query.count > 0 and not query.sort and not by_key


def _after(
    cursor: tuple[str, ...], sort: tuple[SortKey, ...], names: list[str], bound: Parameters
) -> str:
    """Rows behind the cursor in an order whose keys may run in different directions."""
    if len(cursor) != len(sort):
        raise Malformed("search.cursor", parameter=CURSOR)
    if not any(one.descending for one in sort):
        values = (bound.bind(_cursor_value(*pair)) for pair in zip(sort, cursor, strict=True))
        return f"({', '.join(f'r.{name}' for name in names)}) > ({', '.join(values)})"
    alternatives: list[str] = []
    equal: list[str] = []
    for one, name, text in zip(sort, names, cursor, strict=True):
        value = bound.bind(_cursor_value(one, text))
        step = f"r.{name} {'<' if one.descending else '>'} {value}"
        alternatives.append(" AND ".join([*equal, step]))
        equal.append(f"r.{name} = {value}")
    return "(" + " OR ".join(alternatives) + ")"


def _cursor_value(one: SortKey, text: str) -> Any:
    if one.kind == "updated":
        return moment(text)
    return number(text) if one.kind in ("date", "quantity") else text
