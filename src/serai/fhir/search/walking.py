"""A search in the order of one of its values, walked along that value's index until the page is
full: what a page costs does not depend on how many resources match.

Resources without the value are not in the index; they follow when the walk is at its end.
"""

from __future__ import annotations

from dataclasses import replace

from serai.fhir.search.binding import Parameters
from serai.fhir.search.query import Missing, Query, SortKey
from serai.fhir.search.row_tests import INDEXED_PREFIX
from serai.fhir.search.stored_under import stored_under

# By kind and direction: the indexed value, which of several of a resource counts, and what
# stands in the cursor of those without any.
_VALUES = {
    ("date", False): ("v.low", "<", "infinity"),
    ("date", True): ("v.high", ">", "-infinity"),
    ("string", False): (f"left(v.value, {INDEXED_PREFIX})", "<", "\U0010ffff"),
    ("string", True): (f"left(v.value, {INDEXED_PREFIX})", ">", ""),
}

# OFFSET keeps both looks from becoming joins over everything.
_WALKED = """(SELECT m.walked, r.* FROM (
    SELECT v.id, {value} AS walked, v.ctid AS line FROM fhir_{table} v
    WHERE {of_param} AND {onwards}) m
    CROSS JOIN LATERAL (
        SELECT r.ctid AS place, r.type, r.id, r.last_updated FROM fhir_resource r
        WHERE r.id = m.id AND {where} OFFSET 0) r
    WHERE NOT EXISTS (SELECT 1 FROM fhir_{table} v WHERE {of_param} AND v.id = m.id
        AND ({value}, v.ctid) {sooner} (m.walked, m.line) OFFSET 0))"""


def is_walkable(query: Query) -> bool:
    """Whether the values of the first key lie in its order in one index."""
    if not (query.type and query.sort):
        return False
    first = query.sort[0]
    indexed = (first.kind, first.descending) in _VALUES
    return indexed and stored_under(query.type, first.param) == (first.param,)


def without_value(first: SortKey) -> str:
    """What the cursor of a resource without the value begins with."""
    return _VALUES[first.kind, first.descending][2]


def rest(query: Query, already: int) -> Query:
    """Those without the value, in the order of the other keys; `already` are on the page."""
    first, *others = query.sort
    cursor = query.cursor if query.cursor and query.cursor[0] == without_value(first) else None
    return replace(
        query,
        conditions=(*query.conditions, Missing(first.param, first.kind, missing=True)),
        sort=tuple(others),
        cursor=cursor[1:] if cursor else None,
        count=query.count - already,
    )


def walked(query: Query, where: str, cursor_value: str | None, bound: Parameters) -> str:
    """The rows that meet `where` and have a value, which is the column `walked`."""
    first = query.sort[0]
    value, sooner, _ = _VALUES[first.kind, first.descending]
    onwards = f"{value} {'<=' if first.descending else '>='} {cursor_value}"
    return _WALKED.format(
        value=value,
        table=first.kind,
        of_param=f"v.type = {bound.bind(query.type)} AND v.param = {bound.bind(first.param)}",
        onwards=onwards if cursor_value else "TRUE",
        where=where,
        sooner=sooner,
    )
