"""Whether codes belong to value sets, many questions in one go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from serai.fhir.terminology.compose import Composed, Composer
from serai.fhir.terminology.known import resolve
from serai.fhir.terminology.running import run
from serai.kernel.errors import SeraiError
from serai.platform.db import Connection

Asked = tuple[str, str | None, str]

# OFFSET 0 keeps the question one look into an index per code; as a join the planner might
# read the whole value set.
_AMONG = """SELECT w.at FROM unnest({systems}::text[], {codes}::text[], {places}::integer[])
        AS w(system, code, at)
    WHERE EXISTS (SELECT FROM ({rows}) x
                  WHERE x.code = w.code AND (w.system IS NULL OR x.system = w.system) OFFSET 0)"""


async def members(connection: Connection, asked: Sequence[Asked]) -> list[bool | None]:
    """For each (value set, maybe with |version; system or None; code): whether it is in, None
    when the value set or its code systems are not known here completely. Two round trips."""
    known = await resolve(connection, sets={url for url, _, _ in asked})
    composer = Composer(known, strict=False)
    by_set: defaultdict[str, list[int]] = defaultdict(list)
    for at, (url, _, _) in enumerate(asked):
        by_set[url].append(at)
    composed = {url: _compose(composer, url) for url in by_set}
    statements = [
        _AMONG.format(
            systems=composer.put([asked[at][1] for at in places]),
            codes=composer.put([asked[at][2] for at in places]),
            places=composer.put(places),
            rows=one.sql,
        )
        for url, places in by_set.items()
        if (one := composed[url]) is not None
    ]
    inside: set[int] = set()
    if statements:
        has_regex = any(one is not None and one.has_regex for one in composed.values())
        sql = " UNION ALL ".join(statements)
        inside = {at for (at,) in await run(connection, sql, composer.values, bounded=has_regex)}
    return [
        at in inside or _judged(composed[url], system) for at, (url, system, _) in enumerate(asked)
    ]


def _compose(composer: Composer, url: str) -> Composed | None:
    """None for a value set that nobody could evaluate, such as a circular one."""
    try:
        return composer.compose(url)
    except SeraiError:
        return None


def _judged(composed: Composed | None, system: str | None) -> bool | None:
    """False for a code that is not in, unless nobody here can know."""
    if composed is None or "*" in composed.unjudged:
        return None
    unknown = bool(composed.unjudged) if system is None else system in composed.unjudged
    return None if unknown else False
