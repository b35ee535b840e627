"""Compiled profiles, kept in the process until a definition in the store changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from serai.fhir.body import Data, decode
from serai.fhir.profiles.compiling import compiled
from serai.fhir.profiles.model import Profile, core_type
from serai.fhir.profiles.snapshot import of_core, with_snapshot
from serai.fhir.search.keys import key
from serai.fhir.visibility import clause
from serai.kernel.actor import serai_itself
from serai.kernel.errors import Unsupported
from serai.platform.db import Connection

# Every write adds one to a version, so the sum tells whether anything changed, whatever the
# order in which transactions end.
STATE = """SELECT coalesce(sum(r.version), 0), count(*) FROM fhir_resource r
    WHERE r.type = 'StructureDefinition'"""

NAMED = """SELECT r.content FROM fhir_resource r
    WHERE r.type = %(type)s AND NOT r.deleted AND r.keys && %(keys)s::bigint[] AND {visible}
    ORDER BY r.last_updated, r.id"""

MOST_DATABASES: Final = 8
DEEPEST_BASE: Final = 20


class Shelf:
    """The profiles of one state of one database; None marks a URL that nobody knows."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile | None] = {}

    async def fetch(self, connection: Connection, urls: Iterable[str]) -> None:
        wanted = sorted(set(urls) - self.profiles.keys())
        found = await definitions(connection, "StructureDefinition", wanted)
        for url in wanted:
            definition = newest(found, url)
            self.profiles[url] = None
            if definition is not None:
                self.profiles[url] = await _made(connection, definition)


_SHELVES: OrderedDict[tuple[str, int, str], tuple[tuple[int, int], Shelf]] = OrderedDict()


async def shelf(connection: Connection) -> Shelf:
    """The shelf for what the database holds now."""
    row = await (await connection.execute(STATE)).fetchone()
    assert row is not None
    state = (int(row[0]), int(row[1]))
    info = connection.info
    place = (info.host, info.port, info.dbname)
    kept = _SHELVES.get(place)
    if kept is None or kept[0] != state:
        kept = _SHELVES[place] = (state, Shelf())
    _SHELVES.move_to_end(place)
    while len(_SHELVES) > MOST_DATABASES:
        _SHELVES.popitem(last=False)
    return kept[1]


async def definitions(connection: Connection, kind: str, urls: Iterable[str]) -> list[Data]:
    """Conformance resources by canonical URL. They describe the standard, not a person, and
    are read as the server itself, so that what is compiled serves everybody."""
    visible, values = clause(serai_itself)
    keys = [key("uri", kind, "url", url.partition("|")[0]) for url in urls]
    if not keys:
        return []
    cursor = await connection.execute(
        NAMED.format(visible=visible), values | {"type": kind, "keys": keys}, binary=True
    )
    return [decode(row[0]) for row in await cursor.fetchall()]


def newest(found: Iterable[Data], url: str) -> Data | None:
    """The version that is asked for, else the one stored last."""
    bare, _, version = url.partition("|")
    same = [one for one in found if one.get("url") == bare]
    exact = [one for one in same if version and one.get("version") == version]
    fitting = exact or same
    return fitting[-1] if fitting else None


async def _made(connection: Connection, definition: Data) -> Profile | None:
    try:
        return compiled(await _complete(connection, definition, DEEPEST_BASE))
    except Unsupported:
        return None


async def _complete(connection: Connection, definition: Data, deepest: int) -> Data:
    """With a snapshot, made from the base's where there is only a differential."""
    if definition.get("snapshot"):
        return definition
    base: Any = definition.get("baseDefinition")
    found = await definitions(connection, "StructureDefinition", [base] if base else [])
    below = newest(found, base) if base else None
    core = core_type(base) if isinstance(base, str) else None
    if below is None and core is not None:
        below = of_core(core)
    if below is None or not deepest:
        raise Unsupported("profile.cannot-compile", profile=str(definition.get("url")))
    return with_snapshot(definition, await _complete(connection, below, deepest - 1))
