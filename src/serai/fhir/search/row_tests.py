"""One condition to one SQL test of a row; every value travels as a parameter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from serai.fhir.search.dates import DateRange
from serai.fhir.search.folding import fold
from serai.fhir.search.keys import key
from serai.fhir.search.query import Condition, Dates, Ids, Keys, Missing, Strings, Updated

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


@dataclass
class Parameters:
    """Collects values under fresh names."""

    values: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"


def row_test(kind: str, condition: Condition, bound: Parameters, *, row_by_row: bool) -> str:
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
