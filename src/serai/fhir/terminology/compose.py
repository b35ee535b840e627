"""A value set as SQL: the rows it consists of (R4 §4.10.5).

The statement is never longer than the rules it comes from are many, and a condition put around
it (one code, some words) reaches the indexes of the concepts inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from serai.fhir.body import Data
from serai.fhir.terminology import filters
from serai.fhir.terminology.artifacts import as_json
from serai.fhir.terminology.known import Definition, Known, System
from serai.kernel.errors import Invalid, NotFound, TooLarge

MOST_RULES = 2_000
_PLACE = 1 << 32

_COLUMNS = "system, code, display, designations, inactive, abstract, concept, words, place"

_CONCEPTS = """SELECT {url}::text AS system, c.code, c.display, c.designations, c.inactive,
    c.abstract, c.id AS concept, c.words, {place}::bigint + c.position AS place
    FROM terminology_concept c WHERE c.system = {system}"""

# What a value set enumerates counts even where its code system is not here.
_MEMBERS = """SELECT {url}::text AS system, m.code, coalesce(m.display, c.display) AS display,
    coalesce(m.designations, c.designations) AS designations,
    coalesce(c.inactive, false) AS inactive, coalesce(c.abstract, false) AS abstract,
    c.id AS concept, m.words || coalesce(c.words, ''::tsvector) AS words,
    {place}::bigint + m.position AS place
    FROM {members} LEFT JOIN terminology_concept c ON c.system = {system} AND c.code = m.code
    WHERE m.rule = {rule}"""

_INLINE = """(SELECT rule, code, display, position, words::tsvector AS words, designations
    FROM jsonb_to_recordset({members}::jsonb) AS given(rule integer, code text, display text,
        position integer, words text, designations jsonb)) m"""


@dataclass(slots=True)
class Composed:
    """`unjudged` are systems of which the set may hold codes that are not known here; `*` stands
    for any. `systems` are the ones it draws on."""

    sql: str = ""
    unjudged: set[str] = field(default_factory=set)
    systems: dict[str, System] = field(default_factory=dict)
    has_regex: bool = False

    @property
    def may_repeat(self) -> bool:
        """Whether a code can come twice: of several rules, or enumerated twice."""
        return " UNION ALL " in self.sql or "m.rule" in self.sql


class Composer:
    """Writes one statement's value sets; `values` are its parameters."""

    def __init__(self, known: Known, *, strict: bool) -> None:
        """`strict` refuses what is not known; otherwise it is only noted as unjudged."""
        self.known = known
        self.strict = strict
        self.values: dict[str, Any] = {}
        self._rules = 0

    def put(self, value: Any) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"

    def compose(self, canonical: str) -> Composed:
        made = Composed()
        made.sql = self._set(canonical, (), made)
        return made

    def _set(self, canonical: str, above: tuple[str, ...], made: Composed) -> str:
        if canonical in above:
            raise Invalid("terminology.value-set-circle", url=canonical[:200])
        definition = self.known.value_set(canonical)
        if definition is None:
            if self.strict:
                raise NotFound("terminology.unknown-value-set", url=canonical[:200])
            made.unjudged.add("*")
            return self._nothing()
        made.has_regex |= filters.is_regex(definition.rules)
        above = (*above, canonical)
        parts = {
            side: [
                self._rule(rule, at, definition, above, made)
                for at, rule in enumerate(definition.rules[side])
            ]
            for side in ("include", "exclude")
        }
        return self._joined(parts["include"], parts["exclude"], definition)

    def _joined(self, included: list[str], excluded: list[str], definition: Definition) -> str:
        rows = " UNION ALL ".join(f"({one})" for one in included) or self._nothing()
        conditions = []
        if definition.rules.get("inactive") is False:
            conditions.append("NOT i.inactive")
        conditions += [
            f"NOT EXISTS (SELECT FROM ({one}) e WHERE e.system = i.system AND e.code = i.code)"
            for one in excluded
        ]
        if not conditions:
            return rows
        return f"SELECT {_COLUMNS} FROM ({rows}) i WHERE {' AND '.join(conditions)}"  # noqa: S608

    def _rule(
        self, rule: Data, at: int, definition: Definition, above: tuple[str, ...], made: Composed
    ) -> str:
        self._rules += 1
        if self._rules > MOST_RULES:
            raise TooLarge("terminology.too-costly", most=MOST_RULES)
        imported = [self._set(url, above, made) for url in rule.get("valueSet", [])]
        if "system" not in rule:
            rows = imported.pop(0) if imported else self._nothing()
        elif "enumerated" in rule:
            rows = self._members(rule, at, definition, made)
        else:
            rows = self._concepts(rule, at, made)
        if not imported:
            return rows
        narrowed = " AND ".join(
            f"EXISTS (SELECT FROM ({one}) k WHERE k.system = n.system AND k.code = n.code)"
            for one in imported
        )
        return f"SELECT {_COLUMNS} FROM ({rows}) n WHERE {narrowed}"  # noqa: S608

    def _members(self, rule: Data, at: int, definition: Definition, made: Composed) -> str:
        system = self.known.system(rule["system"], rule.get("version"))
        if system is not None:
            made.systems[system.url] = system
        if definition.id is None:
            members = _INLINE.format(members=self.put(as_json(definition.inline)))
        else:
            members = (
                f"(SELECT * FROM terminology_member WHERE value_set = {self.put(definition.id)}) m"  # noqa: S608
            )
        return _MEMBERS.format(
            url=self.put(rule["system"]),
            place=self.put(at * _PLACE),
            members=members,
            system=self.put(system.id if system else None) + "::integer",
            rule=self.put(rule["enumerated"]),
        )

    def _concepts(self, rule: Data, at: int, made: Composed) -> str:
        system = self.known.system(rule["system"], rule.get("version"))
        if system is None:
            if self.strict:
                raise NotFound("terminology.unknown-system", url=rule["system"][:200])
            made.unjudged.add(rule["system"])
            return self._nothing()
        made.systems[system.url] = system
        if not system.complete:
            made.unjudged.add(system.url)
        rows = _CONCEPTS.format(
            url=self.put(system.url), place=self.put(at * _PLACE), system=self.put(system.id)
        )
        conditions = [filters.condition(one, system.id, self.put) for one in rule.get("filter", [])]
        return " AND ".join([rows, *conditions])

    def _nothing(self) -> str:
        return (
            "SELECT NULL::text AS system, NULL::text AS code, NULL::text AS display,"
            " NULL::jsonb AS designations, false AS inactive, false AS abstract,"
            " NULL::integer AS concept, ''::tsvector AS words, 0::bigint AS place WHERE false"
        )
