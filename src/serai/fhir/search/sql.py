"""A checked query to SQL. Every value travels as a parameter; only names made here are text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from serai.fhir.search.dates import DateRange
from serai.fhir.search.folding import fold
from serai.fhir.search.keys import key
from serai.fhir.search.paging import CURSOR, moment, number
from serai.fhir.search.query import (
    Condition,
    Dates,
    Ids,
    Keys,
    Missing,
    Query,
    SortKey,
    Strings,
    Updated,
)
from serai.fhir.stored import COLUMNS
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor
from serai.kernel.errors import Malformed

# The prefix index covers this many characters of a string (migration 0001).
INDEXED_PREFIX = 200
_HIGHEST = "\U0010ffff"

# How a range [low, high) asked for selects a stored range, by prefix (R4 §3.1.1.4.7). For ge
# and le the first half is implied by the second; it is there for the index.
_RANGE_TESTS = {
    "eq": "{low} >= {qlow} AND {high} <= {qhigh}",
    "ne": "NOT ({low} >= {qlow} AND {high} <= {qhigh})",
    "gt": "{high} > {qhigh}",
    "lt": "{low} < {qlow}",
    "ge": "{high} > {qlow} AND ({high} > {qhigh} OR {low} >= {qlow})",
    "le": "{low} < {qhigh} AND ({low} < {qlow} OR {high} <= {qhigh})",
    "sa": "{low} >= {qhigh}",
    "eb": "{high} <= {qlow}",
    "ap": "{low} < {qhigh} AND {high} > {qlow}",
}

# FILTER keeps the planner from walking the whole parameter's index for the first row that
# happens to be this one.
_VALUE_OF_ROW = """(SELECT {value} FILTER (WHERE TRUE) FROM fhir_{table} v
    WHERE v.type = r.type AND v.id = r.id AND v.param = {param})"""

# By kind and direction: of several values the one that sorts first counts, and rows without any
# come last (R4 §3.1.1.5).
_SORT_VALUES = {
    ("date", False): ("min(v.low)", "coalesce(extract(epoch FROM {value}), 'Infinity')"),
    ("date", True): ("max(v.high)", "coalesce(extract(epoch FROM {value}), '-Infinity')"),
    ("string", False): ("min(v.value)", "coalesce({value}, U&'\\+10FFFF')"),
    ("string", True): ("max(v.value)", "coalesce({value}, '')"),
}


@dataclass
class Parameters:
    """Collects values under fresh names."""

    values: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"


def page_statement(query: Query, actor: Actor) -> tuple[str, dict[str, Any]]:
    """One row more than the page holds tells whether there is another."""
    bound = Parameters()
    source = _source(query, actor, bound)
    sort = (*query.sort, SortKey("_id", "id", descending=False))
    values = [_sort_value(one, bound) for one in sort]
    names = [f"sort{position}" for position in range(len(sort))]
    selected = ", ".join(f"{value} AS {name}" for value, name in zip(values, names, strict=True))
    # Qualified, since a bare sort0 in ORDER BY would mean the text that is shown.
    shown = ", ".join(f"r.{name}::text" for name in names)
    order = ", ".join(
        f"r.{name} {'DESC' if one.descending else 'ASC'}"
        for name, one in zip(names, sort, strict=True)
    )
    after = _after(query.cursor, sort, names, bound) if query.cursor else "TRUE"
    limit = bound.bind(query.count + 1)
    statement = (
        f"{source.held}SELECT {COLUMNS}, {shown}"  # noqa: S608
        f" FROM (SELECT {COLUMNS}, {selected} FROM {source.table} r WHERE {source.where}) r"
        f" WHERE {after} ORDER BY {order} LIMIT {limit}"
    )
    return statement, bound.values


def _sort_value(one: SortKey, bound: Parameters) -> str:
    if one.kind in ("id", "updated"):
        return "r.id" if one.kind == "id" else "r.last_updated"
    value, wrapped = _SORT_VALUES[one.kind, one.descending]
    param = bound.bind(one.param)
    return wrapped.format(value=_VALUE_OF_ROW.format(value=value, table=one.kind, param=param))


def count_statement(query: Query, actor: Actor) -> tuple[str, dict[str, Any]]:
    bound = Parameters()
    source = _source(query, actor, bound)
    statement = f"{source.held}SELECT count(*) FROM {source.table} r WHERE {source.where}"  # noqa: S608
    return statement, bound.values


@dataclass(frozen=True, slots=True)
class Source:
    """Where matches come from: a table, or for a narrow query the few rows `held` by keys."""

    held: str
    table: str
    where: str


def _source(query: Query, actor: Actor, bound: Parameters) -> Source:
    """A narrow query is made to start from its keys, whatever the planner believes: before the
    first ANALYZE it would rather walk every date of the type. Keys carry the type in them."""
    visible, parameters = clause(actor)
    bound.values.update(parameters)
    keys = [one for one in query.conditions if isinstance(one, Keys) and not one.negated]
    others = [one for one in query.conditions if one not in keys]
    narrow = any(one.narrow for one in keys)
    held = _keys(keys, bound)
    tests = [_condition(query.type, one, bound, row_by_row=narrow) for one in others]
    where = " AND ".join([f"r.type = {bound.bind(query.type)}", "NOT r.deleted", *tests, visible])
    if not narrow:
        return Source("", "fhir_resource", " AND ".join([where, *held]))
    rows = f"SELECT {COLUMNS}, r.keys, r.patients FROM fhir_resource r"  # noqa: S608
    with_held = f"WITH held AS MATERIALIZED ({rows} WHERE {' AND '.join(held)}) "
    return Source(with_held, "held", where)


def _keys(conditions: Sequence[Keys], bound: Parameters) -> list[str]:
    """Rows that hold all of these; single keys go into one test, so that one scan finds them."""
    single = sorted(one.keys[0] for one in conditions if len(one.keys) == 1)
    tests = [f"r.keys @> {bound.bind(single)}::bigint[]"] if single else []
    return tests + [
        f"r.keys && {bound.bind(list(one.keys))}::bigint[]"
        for one in conditions
        if len(one.keys) != 1
    ]


def _condition(kind: str, condition: Condition, bound: Parameters, *, row_by_row: bool) -> str:
    match condition:
        case Ids((id,)):
            return f"r.id = {bound.bind(id)}"
        case Ids(ids):
            return f"r.id = ANY ({bound.bind(list(ids))}::text[])"
        case Updated(ranges):
            high = "r.last_updated + interval '1 ms'"
            return _any(_in_range("r.last_updated", high, one, bound) for one in ranges)
        case Keys(keys):
            return f"NOT (r.keys && {bound.bind(list(keys))}::bigint[])"
        case Strings(param):
            test, table = _strings(condition, bound), "string"
        case Dates(param, ranges):
            test = _any(_in_range("v.low", "v.high", one, bound) for one in ranges)
            table = "date"
        case Missing():
            return _missing(kind, condition, bound)
    exists = f"EXISTS ({_indexed(kind, param, table, bound)} AND {test}{{}})"
    # OFFSET keeps the planner from turning the test of each row into a join.
    return exists.format(" OFFSET 0" if row_by_row else "")


def _indexed(kind: str, param: str, table: str, bound: Parameters) -> str:
    return (
        f"SELECT 1 FROM fhir_{table} v WHERE v.type = {bound.bind(kind)}"  # noqa: S608
        f" AND v.param = {bound.bind(param)} AND v.id = r.id"
    )


def _missing(kind: str, condition: Missing, bound: Parameters) -> str:
    if condition.kind == "key":
        has = bound.bind([key("has", kind, condition.param)])
        test = f"r.keys @> {has}::bigint[]"
    else:
        test = f"EXISTS ({_indexed(kind, condition.param, condition.kind, bound)})"
    return f"NOT ({test})" if condition.missing else test


def _strings(condition: Strings, bound: Parameters) -> str:
    return _any(_string(condition.match, value, bound) for value in condition.values)


def _string(match: str, value: str, bound: Parameters) -> str:
    folded = fold(value)
    if match == "contains":
        return f"position({bound.bind(folded)} IN v.value) > 0"
    low = bound.bind(folded[:INDEXED_PREFIX])
    if match == "exact":
        return f"left(v.value, {INDEXED_PREFIX}) = {low} AND v.exact = {bound.bind(value)}"
    high = bound.bind(folded[:INDEXED_PREFIX] + _HIGHEST)
    test = f"left(v.value, {INDEXED_PREFIX}) >= {low} AND left(v.value, {INDEXED_PREFIX}) < {high}"
    if len(folded) > INDEXED_PREFIX:
        test += f" AND starts_with(v.value, {bound.bind(folded)})"
    return test


def _in_range(low: str, high: str, asked: DateRange, bound: Parameters) -> str:
    test = _RANGE_TESTS[asked.prefix]
    return test.format(low=low, high=high, qlow=bound.bind(asked.low), qhigh=bound.bind(asked.high))


def _any(tests: Any) -> str:
    return "(" + " OR ".join(f"({test})" for test in tests) + ")"


def _after(
    cursor: tuple[str, ...], sort: tuple[SortKey, ...], names: list[str], bound: Parameters
) -> str:
    """Rows behind the cursor in an order whose keys may run in different directions."""
    if len(cursor) != len(sort):
        raise Malformed("search.cursor", parameter=CURSOR)
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
    return number(text) if one.kind == "date" else text
