"""A string as the only condition: its index is walked in the order of the words found, so that a
page costs the same however many resources match.

Nobody asked for an order, so any that pages stably will do: by the first word that matches.
"""

from __future__ import annotations

from serai.fhir.search.binding import Parameters
from serai.fhir.search.query import Query, SortKey, Strings
from serai.fhir.search.row_tests import INDEXED_PREFIX, words_test
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor

ORDER = (SortKey("", "word", descending=False),)

# Of several words of one resource only the first counts. OFFSET keeps both looks from becoming
# joins over everything.
_WALKED = """(SELECT m.word, m.id, r.place FROM (
    SELECT v.type, v.id, left(v.value, {prefix}) AS word, v.ctid AS line FROM fhir_{table} v
    WHERE {match}) m
    CROSS JOIN LATERAL (SELECT r.ctid AS place FROM fhir_resource r
        WHERE r.type = m.type AND r.id = m.id AND NOT r.deleted AND {visible} OFFSET 0) r
    WHERE NOT EXISTS (SELECT 1 FROM fhir_{table} v WHERE {match} AND v.id = m.id
        AND (left(v.value, {prefix}), v.ctid) < (m.word, m.line) OFFSET 0))"""


def alone(query: Query) -> Strings | None:
    """The string, if nothing else is asked for and one range of the index answers it."""
    match query.conditions:
        case (Strings(match="prefix" | "exact", values=(_,)) as only,) if query.type:
            return None if query.sort else only
    return None


def walked(kind: str, only: Strings, actor: Actor, bound: Parameters) -> str:
    """The visible matches as a table with the columns word, place and id."""
    visible, values = clause(actor, act="s")
    bound.values.update(values)
    match = (
        f"v.type = {bound.bind(kind)} AND v.param = {bound.bind(only.param)}"
        f" AND {words_test(only, bound)}"
    )
    return _WALKED.format(table=only.table, prefix=INDEXED_PREFIX, match=match, visible=visible)
