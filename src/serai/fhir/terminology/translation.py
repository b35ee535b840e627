"""Mappings of a concept, over one concept map or all that are known (R4 §4.11.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from serai.fhir.body import Data
from serai.fhir.terminology import packaged
from serai.fhir.terminology.artifacts import BEST, split
from serai.kernel.errors import NotFound
from serai.platform.db import Connection

MOST = 1_000

# Of a map known in several versions only the best answers.
_MAPS = f"""SELECT DISTINCT ON (url) id, url, rules, head FROM terminology_artifact
    WHERE kind = 'ConceptMap' AND rank < 30
      AND (%(url)s::text IS NULL OR url = %(url)s)
      AND (%(version)s::text IS NULL OR version = %(version)s)
    ORDER BY url, {BEST}"""  # noqa: S608

_MAPPINGS = f"""WITH maps AS ({_MAPS})
    SELECT m.url, m.head, t.source_system, t.source_code, t.target_system, t.target_code,
        t.equivalence, t.target
    FROM terminology_mapping t JOIN maps m ON m.id = t.map
    WHERE t.{{side}}_code = %(code)s
      AND (%(system)s::text IS NULL OR t.{{side}}_system IS NULL OR t.{{side}}_system = %(system)s)
    ORDER BY m.url, t.position LIMIT {MOST}"""  # noqa: S608

_GROUPS = f"""WITH maps AS ({_MAPS}) SELECT url, rules, head FROM maps WHERE rules @> %(wanted)s"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be translated; `url` names the map, else every known one is asked."""

    code: str
    system: str | None
    url: str | None = None
    source: str | None = None
    target: str | None = None
    target_system: str | None = None
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """One translation and the map that says so."""

    equivalence: str
    system: str | None
    code: str | None
    display: str | None
    map: str
    comment: str | None = None
    product: tuple[Data, ...] = ()
    depends_on: tuple[Data, ...] = ()


async def translate(connection: Connection, question: Question) -> list[Match]:
    """NotFound for a map that is not known; an empty list for a code that no map mentions."""
    if question.url is not None and not await _is_known(connection, question.url):
        raise NotFound("terminology.unknown-map", url=question.url[:200])
    if question.url is None:
        await packaged.ensure(connection)
    found = await _mapped(connection, question)
    if found or question.reverse:
        return found
    return await _unmapped(connection, question)


async def _is_known(connection: Connection, canonical: str) -> bool:
    for _ in range(2):
        rows = await (await connection.execute(_MAPS, _named(canonical))).fetchall()
        if rows:
            return True
        if not await packaged.ensure(connection):
            return False
    return False


def _named(canonical: str | None) -> dict[str, Any]:
    url, version = split(canonical) if canonical else (None, None)
    return {"url": url, "version": version}


async def _mapped(connection: Connection, question: Question) -> list[Match]:
    side = "target" if question.reverse else "source"
    values = _named(question.url) | {"code": question.code, "system": question.system}
    rows = await (await connection.execute(_MAPPINGS.format(side=side), values)).fetchall()
    return [
        match
        for url, head, *row in rows
        if _is_between(head, question) and _is_into(match := _match(url, row, question), question)
    ]


def _match(url: str, row: list[Any], question: Question) -> Match:
    source_system, source_code, target_system, target_code, equivalence, target = row
    here = question.reverse
    return Match(
        equivalence=_REVERSED.get(equivalence, equivalence) if here else equivalence,
        system=source_system if here else target_system,
        code=source_code if here else target_code,
        display=target.get("sourceDisplay" if here else "display"),
        map=url,
        comment=target.get("comment"),
        product=tuple(target.get("product", ())),
        depends_on=tuple(target.get("dependsOn", ())),
    )


_REVERSED = {
    "wider": "narrower",
    "narrower": "wider",
    "subsumes": "specializes",
    "specializes": "subsumes",
}


def _is_between(head: Mapping[str, Any], question: Question) -> bool:
    """Whether the map leads from and to the value sets the client names."""
    ends = (("source", question.source), ("target", question.target))
    for side, wanted in ends:
        end = {"source": "target", "target": "source"}[side] if question.reverse else side
        said = head.get(f"{end}Uri") or head.get(f"{end}Canonical")
        if wanted is not None and (said is None or split(said)[0] != split(wanted)[0]):
            return False
    return True


def _is_into(match: Match, question: Question) -> bool:
    return question.target_system in (None, match.system)


async def _unmapped(connection: Connection, question: Question) -> list[Match]:
    """What the maps say about codes they do not list (ConceptMap.group.unmapped)."""
    if question.system is None:
        return []
    wanted = Jsonb([{"source": question.system, "unmapped": {}}])
    values = _named(question.url) | {"wanted": wanted}
    rows = await (await connection.execute(_GROUPS, values)).fetchall()
    found = []
    for url, groups, head in rows:
        if not _is_between(head, question):
            continue
        for group in groups:
            if group.get("source") == question.system and "unmapped" in group:
                found += await _by_mode(connection, url, group, question)
    return [one for one in found if _is_into(one, question)]


async def _by_mode(
    connection: Connection, url: str, group: Data, question: Question
) -> list[Match]:
    mode = group["unmapped"]
    match mode["mode"]:
        case "provided":
            return [Match("equal", group.get("target"), question.code, None, url)]
        case "fixed":
            target = group.get("target")
            return [Match("inexact", target, mode.get("code"), mode.get("display"), url)]
        case "other-map":
            # One step only, so that maps which point at each other end.
            return await _mapped(connection, Question(question.code, question.system, mode["url"]))
    return []
