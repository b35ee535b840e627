"""The list of an organisation's patients: its own and those shared with it, each in the order of
an index, so that a page costs the same however many patients the whole network has.

Anything asked of the patients besides is found by its own index (`links`, `alphabetical`).
"""

from __future__ import annotations

from serai.fhir.search.binding import Parameters
from serai.fhir.search.query import Query
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor

# The type is written out: the index holds patients alone.
_WAY = """(SELECT r.ctid AS place, r.type, r.id, r.last_updated FROM fhir_resource r
    WHERE r.type = 'Patient' AND NOT r.deleted AND {way} AND {visible} AND {onwards}
    ORDER BY r.id LIMIT {limit})"""

# How a patient can come to be seen at all; the rule itself (`visible`) decides on every row.
_WAYS = (
    "r.owner = %(visible_to)s",
    """r.id = ANY (ARRAY(SELECT shared.id FROM fhir_share shared
        WHERE shared.organisation = %(visible_to)s AND shared.type = 'Patient'
          AND shared.closed_at IS NULL))""",
)


def is_all_of_them(query: Query, actor: Actor) -> bool:
    """Whether nothing but patients is asked for, by somebody who sees only some."""
    scoped = not actor.system_wide and actor.organisation is not None
    return scoped and query.type == "Patient" and not query.conditions and not query.sort


def walked(query: Query, actor: Actor, bound: Parameters) -> str:
    """The rows of one page as a table; one that comes by both ways is there once."""
    visible, values = clause(actor, act="s")
    bound.values.update(values)
    onwards = f"r.id > {bound.bind(query.cursor[-1])}" if query.cursor else "TRUE"
    limit = bound.bind(query.count + 1)
    ways = (_WAY.format(way=way, visible=visible, onwards=onwards, limit=limit) for way in _WAYS)
    return f"({' UNION '.join(ways)})"
