"""One condition to one SQL test of a row; every value travels as a parameter."""

from __future__ import annotations

from typing import Any

from serai.fhir.search.asking import NotHonoured
from serai.fhir.search.binding import Parameters
from serai.fhir.search.dates import DateRange
from serai.fhir.search.folding import fold
from serai.fhir.search.keys import key
from serai.fhir.search.measure_tests import in_numbers, in_quantity, is_near
from serai.fhir.search.quantities import QuantityRange
from serai.fhir.search.query import (
    Beside,
    Coded,
    Condition,
    Dates,
    Ids,
    Keys,
    Missing,
    Near,
    Quantities,
    Strings,
    Together,
    Updated,
    Words,
)
from serai.fhir.search.stored_under import stored_under

__all__ = ["INDEXED_PREFIX", "Parameters", "row_test", "value_rows", "words_test"]

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


def row_test(kind: str, condition: Condition, bound: Parameters, *, row_by_row: bool) -> str:
    """The condition as SQL over the row called r."""
    match condition:
        case Ids() | Updated() | Keys() | Missing():
            return _own(kind, condition, bound)
        case Words():
            return _words(kind, condition, bound, row_by_row=row_by_row)
        case Coded():
            raise NotHonoured(
                "search.modifier", parameter=f"{condition.param}:{condition.relation}"
            )
    params, table, test = _value_test(condition, bound)
    exists = f"EXISTS ({_indexed(kind, params, table, bound)} AND {test}{{}})"
    # OFFSET keeps the planner from turning the test of each row into a join.
    exists = exists.format(" OFFSET 0" if row_by_row else "")
    if isinstance(condition, Together):
        holds = f"(r.keys && {bound.bind(list(condition.anyway))}::bigint[])"
        # IS TRUE keeps the index on keys out where rows are walked or found already.
        return f"{holds}{' IS TRUE' if row_by_row else ''} AND {exists}"
    return exists


def value_rows(kind: str, condition: Quantities | Together, bound: Parameters) -> str:
    """SELECT of the ids of every row of values that meets the condition, seen or not."""
    params, table, test = _value_test(condition, bound)
    return (
        f"SELECT v.id FROM fhir_{table} v WHERE v.type = {bound.bind(kind)}"  # noqa: S608
        f" AND v.param = ANY ({bound.bind(list(params))}::text[]) AND {test}"
    )


def _own(kind: str, condition: Ids | Updated | Keys | Missing, bound: Parameters) -> str:
    """What the row itself tells."""
    match condition:
        case Ids((id,)):
            return f"r.id = {bound.bind(id)}"
        case Ids(ids):
            return f"r.id = ANY ({bound.bind(list(ids))}::text[])"
        case Updated(ranges):
            high = "r.last_updated + interval '1 ms'"
            return _any(_in_range("r.last_updated", high, one, bound) for one in ranges)
        case Keys(keys, negated):
            holds = f"(r.keys && {bound.bind(list(keys))}::bigint[])"
            return f"NOT {holds}" if negated else holds
        case Missing():
            return _missing(kind, condition, bound)


def _value_test(
    condition: Strings | Dates | Quantities | Together | Near, bound: Parameters
) -> tuple[tuple[str, ...], str, str]:
    """The parameters, the table and the test of its rows, called v."""
    match condition:
        case Strings(param):
            return (param,), condition.table, words_test(condition, bound)
        case Dates(param, ranges):
            test = _any(_in_range("v.low", "v.high", one, bound) for one in ranges)
            return (param,), "date", test
        case Quantities(params, quantities):
            return params, "quantity", _any(in_quantity(one, bound) for one in quantities)
        case Near(param, places):
            return (param,), "position", _any(is_near(one, bound) for one in places)
        case Together(params, kind, alternatives):
            tests = (
                f"v.held @> {bound.bind([held])}::bigint[] AND {_beside(beside, bound)}"
                for held, beside in alternatives
            )
            return params, kind, _any(tests)


def _beside(beside: Beside, bound: Parameters) -> str:
    match beside:
        case DateRange():
            return "(" + _in_range("v.low", "v.high", beside, bound) + ")"
        case QuantityRange():
            return "(" + in_quantity(beside, bound) + ")"
        case str():
            return "(" + _string("prefix", beside, bound) + ")"
        case first, second:
            return in_numbers(first, second, bound)


def _indexed(kind: str, params: tuple[str, ...], table: str, bound: Parameters) -> str:
    one, *more = params
    named = f"= ANY ({bound.bind(list(params))}::text[])" if more else f"= {bound.bind(one)}"
    return (
        f"SELECT 1 FROM fhir_{table} v WHERE v.type = {bound.bind(kind)}"  # noqa: S608
        f" AND v.param {named} AND v.id = r.id"
    )


def _missing(kind: str, condition: Missing, bound: Parameters) -> str:
    if condition.kind == "key":
        has = bound.bind([key("has", kind, condition.param)])
        test = f"r.keys @> {has}::bigint[]"
    else:
        params = stored_under(kind, condition.param)
        test = f"EXISTS ({_indexed(kind, params, condition.kind, bound)})"
    return f"NOT ({test})" if condition.missing else test


def _words(kind: str, condition: Words, bound: Parameters, *, row_by_row: bool) -> str:
    """The index on words finds all rows at once, unless only few are to be tested."""
    holds = f"v.{condition.column} @@ {bound.bind(condition.asked)}::tsquery"
    if row_by_row:
        return (
            "EXISTS (SELECT 1 FROM fhir_text v WHERE v.type = r.type AND v.id = r.id"  # noqa: S608
            f" AND {holds} OFFSET 0)"
        )
    if not kind:
        return f"(r.type, r.id) IN (SELECT v.type, v.id FROM fhir_text v WHERE {holds})"  # noqa: S608
    of_type = f"v.type = {bound.bind(kind)}"
    return f"r.id = ANY (ARRAY(SELECT v.id FROM fhir_text v WHERE {of_type} AND {holds}))"  # noqa: S608


def words_test(condition: Strings, bound: Parameters) -> str:
    """Over a row of fhir_string or fhir_token_text called v."""
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
