"""What the members of a compartment point to without it being in any patient's compartment:
practitioners, organisations, locations, medications, devices, binaries, and so on.

References are found in the stored bytes: a quote inside a JSON string would be escaped, so a key
in quotes is a key. Decoding thousands of resources for their references would cost far more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.search.extract import compartment
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor
from serai.kernel.errors import TooLarge
from serai.platform.db import Connection

Reference = tuple[str, str]

# PractitionerRole → Organization → the one it is part of …: a chain longer than this is odd.
MOST_ROUNDS: Final = 8
MOST_SUPPORTING: Final = 20_000
AT_ONCE: Final = 1000

POINTED_TO = """SELECT r.type, r.id, r.content
    FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted(type, id)
    JOIN fhir_resource r ON r.type = wanted.type AND r.id = wanted.id
    WHERE NOT r.deleted AND {visible}"""


@cache
def supporting_types() -> frozenset[str]:
    """Types that no patient's compartment holds."""
    return frozenset(kind for kind in RESOURCE_TYPES if not compartment(kind))


def references(contents: Iterable[bytes], base: str) -> set[Reference]:
    """Every resource here that the contents point to."""
    pattern = _pattern(base)
    return {
        (kind.decode(), id.decode())
        for content in contents
        for kind, id in pattern.findall(content)
    }


@lru_cache(maxsize=16)
def _pattern(base: str) -> re.Pattern[bytes]:
    here = re.escape(base.encode())
    return re.compile(
        rb'"(?:reference|url)":"(?:%b/)?([A-Z][A-Za-z]{2,40})/([A-Za-z0-9\-.]{1,64})["/]' % here
    )


async def closure(
    connection: Connection, start: set[Reference], *, actor: Actor, base: str
) -> dict[Reference, bytes]:
    """The visible ones of `start`, and of the supporting resources those point to in turn."""
    found: dict[Reference, bytes] = {}
    asked: set[Reference] = set()
    wave = start
    for _ in range(MOST_ROUNDS):
        wave = {one for one in wave - asked if one[0] in RESOURCE_TYPES and actor.may("r", one[0])}
        if not wave:
            break
        asked |= wave
        if len(asked) > MOST_SUPPORTING:
            raise TooLarge("search.too-many-included", most=MOST_SUPPORTING)
        rows = await _read(connection, sorted(wave), actor)
        found |= rows
        plain = (content for (kind, _), content in rows.items() if kind != "Binary")
        wave = {one for one in references(plain, base) if one[0] in supporting_types()}
    return found


async def _read(
    connection: Connection, wanted: list[Reference], actor: Actor
) -> dict[Reference, bytes]:
    visible, values = clause(actor)
    found: dict[Reference, bytes] = {}
    for first in range(0, len(wanted), AT_ONCE):
        some = wanted[first : first + AT_ONCE]
        values |= {"types": [kind for kind, _ in some], "ids": [id for _, id in some]}
        cursor = await connection.execute(POINTED_TO.format(visible=visible), values, binary=True)
        found |= {(kind, id): content for kind, id, content in await cursor.fetchall()}
    return found
