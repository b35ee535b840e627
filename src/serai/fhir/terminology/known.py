"""Which value sets and code systems answer to the canonical URLs of one question: one statement,
the value sets that others import included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from serai.fhir.body import Data
from serai.fhir.terminology import packaged
from serai.fhir.terminology.artifacts import BEST, split
from serai.fhir.terminology.implicit import implicit_rules
from serai.platform.db import Connection

# UNION ends at a circle. A system whose codes are not here (not-present, supplement) is unknown.
_ANSWERS_TO = f"""SELECT a.* FROM terminology_artifact a
    WHERE a.kind = '{{kind}}' AND {{url}} = split_part({{canonical}}, '|', 1)
      AND (strpos({{canonical}}, '|') = 0 OR a.version = split_part({{canonical}}, '|', 2))
      AND a.rank < 30
    ORDER BY {BEST} LIMIT 1"""  # noqa: S608


def _answers(kind: str, canonical: str, url: str = "a.url") -> str:
    return _ANSWERS_TO.format(kind=kind, canonical=canonical, url=url)


RESOLVE = f"""WITH RECURSIVE wanted(canonical) AS (
        SELECT unnest(%(sets)s::text[]) COLLATE "C" UNION
        SELECT i.canonical FROM wanted w
        CROSS JOIN LATERAL ({_answers("ValueSet", "w.canonical")}) a
        CROSS JOIN LATERAL unnest(a.imports) AS i(canonical)
    ), sets AS (
        SELECT w.canonical, a.* FROM wanted w
        CROSS JOIN LATERAL ({_answers("ValueSet", "w.canonical")}) a
    ), systems(canonical) AS (
        SELECT unnest(%(systems)s::text[]) COLLATE "C" UNION SELECT unnest(systems) FROM sets
    )
    SELECT 'ValueSet', canonical, id, url, version, content, rules, head FROM sets
    UNION ALL
    SELECT 'CodeSystem', s.canonical, a.id, a.url, a.version, a.content, NULL, a.head
    FROM systems s CROSS JOIN LATERAL ({_answers("CodeSystem", "s.canonical")}) a
    UNION ALL
    SELECT 'implicit', w.canonical, a.id, a.url, a.version, a.content, NULL, a.head
    FROM wanted w
    CROSS JOIN LATERAL ({_answers("CodeSystem", "w.canonical", "a.implicit")}) a"""  # noqa: S608

# The systems with implicit value sets, which no rule names in advance.
_ALWAYS = ("http://snomed.info/sct", "http://loinc.org")


@dataclass(frozen=True, slots=True)
class System:
    """A code system whose concepts are here; all of them when it is complete."""

    id: int
    url: str
    version: str
    complete: bool
    head: Data


@dataclass(frozen=True, slots=True)
class Definition:
    """A value set's rules; `inline` are the enumerated codes of one that is not stored."""

    rules: Data
    head: Data
    id: int | None = None
    inline: tuple[Data, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the canonical URLs of one question mean here."""

    sets: dict[str, Definition] = field(default_factory=dict)
    systems: dict[str, System] = field(default_factory=dict)
    # Versions to use where a rule names none: system → version.
    versions: Mapping[str, str] = field(default_factory=dict)
    # Versions to use whatever a rule names.
    forced: Mapping[str, str] = field(default_factory=dict)

    def value_set(self, canonical: str) -> Definition | None:
        found = self.sets.get(canonical)
        if found is None and (rules := implicit_rules(canonical)) is not None:
            return Definition(rules, {"url": canonical, "status": "active"})
        return found

    def system(self, url: str, version: str | None = None) -> System | None:
        version = self.forced.get(url) or version or self.versions.get(url)
        return self.systems.get(f"{url}|{version}" if version else url)

    def with_inline(self, canonical: str, definition: Definition) -> Known:
        return replace(self, sets=self.sets | {canonical: definition})


async def resolve(
    connection: Connection,
    *,
    sets: Iterable[str] = (),
    systems: Iterable[str] = (),
    versions: Mapping[str, str] | None = None,
    forced: Mapping[str, str] | None = None,
) -> Known:
    """One round trip; a second try after HL7's package was brought in because of it."""
    wanted_sets, versions, forced = sorted(set(sets)), versions or {}, forced or {}
    pinned = [*versions.items(), *forced.items()]
    chosen = {f"{url}|{version}" for url, version in pinned}
    wanted_systems = sorted({*systems, *chosen, *_ALWAYS})
    known = await _resolve(connection, wanted_sets, wanted_systems)
    if _lacks(known, wanted_sets, systems) and await packaged.ensure(connection):
        known = await _resolve(connection, wanted_sets, wanted_systems)
    return replace(known, versions=versions, forced=forced)


def _lacks(known: Known, sets: Iterable[str], systems: Iterable[str]) -> bool:
    named = {
        url
        for one in known.sets.values()
        for rule in [*one.rules["include"], *one.rules["exclude"]]
        for url in rule.get("valueSet", [])
    }
    used = {
        rule["system"]
        for one in known.sets.values()
        for rule in one.rules["include"]
        if "system" in rule
    }
    return any(known.value_set(one) is None for one in {*sets, *named}) or any(
        one not in known.systems for one in {*systems, *used}
    )


async def _resolve(connection: Connection, sets: list[str], systems: list[str]) -> Known:
    cursor = await connection.execute(RESOLVE, {"sets": sets, "systems": systems})
    known = Known()
    for kind, canonical, *row in await cursor.fetchall():
        _take(known, kind, canonical, row)
    return known


def _take(known: Known, kind: str, canonical: str, row: list[Any]) -> None:
    id, url, version, content, rules, head = row
    if kind == "ValueSet":
        known.sets[canonical] = Definition(rules, head, id)
        return
    system = System(id, url, version, content == "complete", head)
    if kind == "CodeSystem":
        known.systems[canonical] = system
        return
    known.systems.setdefault(url, system)
    own = {"url": split(canonical)[0], "version": version, "status": head.get("status", "active")}
    known.sets.setdefault(canonical, Definition({"include": [{"system": url}], "exclude": []}, own))
