"""Reads the words of resources, and the texts of their codes, that changed since the last search
for either.

Writes only note what they changed; whoever searches first reads it. A batch is one transaction:
a search that is cut off leaves each resource either noted or read.
"""

from __future__ import annotations

from typing import Final

from serai.fhir.body import Data, decode
from serai.fhir.search.extract import token_texts
from serai.fhir.search.folding import fold
from serai.fhir.search.query import Chain, Has, Strings, Test, Words
from serai.fhir.search.texts import vectors
from serai.kernel.errors import Unavailable
from serai.platform.db import Connection

BATCH: Final = 200
# After a large import one search does not do all of the work; the next goes on.
MOST_BATCHES: Final = 250
LONGEST_TEXT: Final = 2000

IS_BEHIND = "SELECT EXISTS (SELECT FROM fhir_text_pending)"

# One at a time: two would read the same resources, and the older reading could be written last.
ALONE = "SELECT pg_advisory_xact_lock(7305467112901153)"

# What was noted before this search began lies anywhere in the table. Going through it by place
# passes by what is already gone, which a walk from the beginning would meet again each time.
TAKE = """DELETE FROM fhir_text_pending p WHERE p.ctid = ANY (ARRAY(
        SELECT n.ctid FROM fhir_text_pending n WHERE n.ctid > %(after)s::tid
        LIMIT %(limit)s))
    RETURNING p.type, p.id, p.ctid::text"""

READ = """SELECT r.type, r.id, r.content
    FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted(type, id)
    JOIN fhir_resource r ON r.type = wanted.type AND r.id = wanted.id
    WHERE NOT r.deleted"""

FORGET = """DELETE FROM fhir_text t
    USING unnest(%(types)s::text[], %(ids)s::text[]) AS wanted(type, id)
    WHERE t.type = wanted.type AND t.id = wanted.id"""

FORGET_TEXTS = FORGET.replace("fhir_text", "fhir_token_text")

KEEP_TEXTS = """INSERT INTO fhir_token_text (type, param, value, id)
    SELECT type, param, value, id
    FROM unnest(%(types)s::text[], %(params)s::text[], %(values)s::text[], %(ids)s::text[])
        AS t(type, param, value, id)"""

KEEP = """INSERT INTO fhir_text (type, id, narrative, content)
    SELECT type, id, narrative::tsvector, content::tsvector
    FROM unnest(%(types)s::text[], %(ids)s::text[], %(narratives)s::text[], %(contents)s::text[])
        AS t(type, id, narrative, content)"""


def asks_for_words(test: Test) -> bool:
    """Whether the words of resources must be known to answer."""
    match test:
        case Chain():
            return any(asks_for_words(branch.test) for branch in test.branches)
        case Has():
            return asks_for_words(test.source.test)
    of_token = isinstance(test, Strings) and test.table == "token_text"
    return of_token or isinstance(test, Words)


async def catch_up(connection: Connection) -> None:
    """Until all that was committed before is read."""
    row = await (await connection.execute(IS_BEHIND)).fetchone()
    if not (row and row[0]):
        return
    after = "(0,0)"
    for _ in range(MOST_BATCHES):
        async with connection.transaction():
            place = await _batch(connection, after)
        if place is None:
            return
        after = place
    raise Unavailable("search.words-not-read")


async def _batch(tx: Connection, after: str) -> str | None:
    """The place it came to; None at the end."""
    await tx.execute(ALONE)
    cursor = await tx.execute(TAKE, {"after": after, "limit": BATCH})
    taken = await cursor.fetchall()
    if not taken:
        return None
    names = sorted({(kind, id) for kind, id, _ in taken})
    named = {"types": [kind for kind, _ in names], "ids": [id for _, id in names]}
    await tx.execute(FORGET, named)
    await tx.execute(FORGET_TEXTS, named)
    found = await (await tx.execute(READ, named, binary=True)).fetchall()
    read = [(kind, id, decode(content)) for kind, id, content in found]
    made = [(kind, id, *vectors(data)) for kind, id, data in read]
    columns = ([row[position] for row in made] for position in range(4))
    names_of = ("types", "ids", "narratives", "contents")
    await tx.execute(KEEP, dict(zip(names_of, columns, strict=True)))
    await tx.execute(KEEP_TEXTS, _texts(read))
    return max((str(place) for *_, place in taken), key=_place)


def _texts(read: list[tuple[str, str, Data]]) -> dict[str, list[str]]:
    """Each text of each resource once, folded as names are."""
    rows = sorted(
        {
            (kind, one.param, fold(one.value)[:LONGEST_TEXT], id)
            for kind, id, data in read
            for one in token_texts(data)
        }
    )
    columns = ([row[position] for row in rows] for position in range(4))
    return dict(zip(("types", "params", "values", "ids"), columns, strict=True))


def _place(ctid: str) -> tuple[int, int]:
    block, _, offset = ctid.strip("()").partition(",")
    return int(block), int(offset)
