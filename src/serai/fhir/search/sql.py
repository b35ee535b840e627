"""A checked query to SQL. Every value travels as a parameter; only names made here are text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from serai.fhir.search import alphabetical, links, own_patients, walking, written
from serai.fhir.search.paging import CURSOR, moment, number, point
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

# Read from the resource as it is kept; text that PostgreSQL's own JSON cannot hold has no value.
_VALUE_AS_WRITTEN = """(SELECT {value} FROM (
        SELECT CASE WHEN pg_input_is_valid(c.text, 'jsonb') THEN c.text::jsonb END AS content
        FROM (SELECT convert_from(c.content, 'UTF8') AS text FROM fhir_resource c
            WHERE c.ctid = {place} OFFSET 0) c OFFSET 0) c,
    unnest({paths}::jsonpath[]) AS path,
    jsonb_path_query(c.content, path, silent => true) AS v(json))"""

# By kind and direction: of several values the one that sorts first counts, and rows without any
# come last (R4 §3.1.1.5).
_SORT_VALUES = {
    ("date", False): ("min(v.low)", "coalesce({value}, 'infinity')"),
    ("date", True): ("max(v.high)", "coalesce({value}, '-infinity')"),
    ("quantity", False): (
        "min(coalesce(v.measured_low, v.low))",
        "coalesce({value}, 'Infinity')",
    ),
    ("quantity", True): (
        "max(coalesce(v.measured_high, v.high))",
        "coalesce({value}, '-Infinity')",
    ),
    ("string", False): ("min(left(v.value, 200))", "coalesce({value}, U&'\\+10FFFF')"),
    ("string", True): ("max(left(v.value, 200))", "coalesce({value}, '')"),
    ("written", False): (
        "min(left(v.json #>> '{{}}', 200) COLLATE \"C\")",
        "coalesce({value}, U&'\\+10FFFF')",
    ),
    ("written", True): (
        "max(left(v.json #>> '{{}}', 200) COLLATE \"C\")",
        "coalesce({value}, '')",
    ),
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


def page_statement(query: Query, actor: Actor, *, walk: bool = False) -> tuple[str, dict[str, Any]]:
    """One row more than the page holds tells whether there is another; `walk` goes along the
    index of the first sort key."""
    bound = Parameters()
    only = alphabetical.alone(query)
    several = () if query.type else (SortKey("_type", "type", descending=False),)
    asked = alphabetical.ORDER if only else query.sort
    sort = (*asked, *several, SortKey("_id", "id", descending=False))
    if only:
        walked = alphabetical.walked(query.type, only, actor, bound)
        source = Source("", walked, "TRUE", "r.place")
    elif own_patients.is_all_of_them(query, actor):
        source = Source("", own_patients.walked(query, actor, bound), "TRUE", "r.place")
    else:
        source = _walked(query, actor, bound) if walk else _source(query, actor, bound)
    values = [_sort_value(query.type, one, source.place, bound) for one in sort]
    if walk:
        values[0] = "r.walked"
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
        # The planner must see that few are wanted, or it would rather sort all.
        limit=query.count + 1 if walk else bound.bind(query.count + 1),
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


def _sort_value(kind: str, one: SortKey, place: str, bound: Parameters) -> str:
    if one.kind in _OWN:
        return _OWN[one.kind]
    value, wrapped = _SORT_VALUES[one.kind, one.descending]
    if one.kind == "written":
        paths = bound.bind(list(written.paths(kind, one.param)))
        found = _VALUE_AS_WRITTEN.format(value=value.format(), paths=paths, place=place)
    else:
        params = bound.bind(list(stored_under(kind, one.param)))
        found = _VALUE_OF_ROW.format(value=value, table=one.kind, params=params)
    return wrapped.format(value=found)


def count_statement(
    query: Query, actor: Actor, *, most: int | None = None
) -> tuple[str, dict[str, Any]]:
    """How many match; counting ends at `most`."""
    bound = Parameters()
    source = _source(replace(query, count=0), actor, bound)
    held = f"WITH {source.held} " if source.held else ""
    rows = f"FROM {source.table} r WHERE {source.where}"
    if most is not None:
        rows = f"FROM (SELECT {rows} LIMIT {most}) AS r"
    return f"{held}SELECT count(*) {rows}", bound.values


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
    visible, parameters = clause(actor, act="s")
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


def _walked(query: Query, actor: Actor, bound: Parameters) -> Source:
    """In the order of the first key, each row tested as it comes."""
    visible, parameters = clause(actor, act="s")
    bound.values.update(parameters)
    tested = links.Tested(query.type, actor, bound, row_by_row=True)
    tests = [tested.test(one) for one in query.conditions]
    where = " AND ".join([f"r.type = {bound.bind(query.type)}", "NOT r.deleted", *tests, visible])
    start = _cursor_value(query.sort[0], query.cursor[0], bound) if query.cursor else None
    return Source("", walking.walked(query, where, start, bound), "TRUE", "r.place")


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
        values = (_cursor_value(*pair, bound) for pair in zip(sort, cursor, strict=True))
        return f"({', '.join(f'r.{name}' for name in names)}) > ({', '.join(values)})"
    alternatives: list[str] = []
    equal: list[str] = []
    for one, name, text in zip(sort, names, cursor, strict=True):
        value = _cursor_value(one, text, bound)
        step = f"r.{name} {'<' if one.descending else '>'} {value}"
        alternatives.append(" AND ".join([*equal, step]))
        equal.append(f"r.{name} = {value}")
    return "(" + " OR ".join(alternatives) + ")"


def _cursor_value(one: SortKey, text: str, bound: Parameters) -> str:
    match one.kind:
        case "updated":
            return bound.bind(moment(text))
        case "date":
            return f"{bound.bind(point(text))}::timestamptz"
        case "quantity":
            return bound.bind(number(text))
    return bound.bind(text)
