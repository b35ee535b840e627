"""CodeSystem/$validate-code and ValueSet/$validate-code (R4 §4.9.16.2, §4.10.6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from serai.fhir.body import Data
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.coded import Code, admitted, canonical, codes, inline
from serai.fhir.operations.expand import INLINE, inline_definition
from serai.fhir.operations.given import Given, parameters
from serai.fhir.operations.operation import Operation
from serai.fhir.terminology import code_systems, value_sets
from serai.fhir.terminology.compose import Composed, Composer
from serai.fhir.terminology.concept import Found, concepts
from serai.fhir.terminology.expansion import in_language
from serai.fhir.terminology.known import Known, resolve
from serai.fhir.terminology.running import run
from serai.fhir.terminology.staging import Concept
from serai.kernel.errors import Invalid, Malformed, NotFound

IN_SYSTEM: Final = (
    "url", "codeSystem", "code", "version", "display", "coding", "codeableConcept", "date",
    "abstract", "displayLanguage",
)  # fmt: skip
IN_VALUE_SET: Final = (
    "url", "context", "valueSet", "valueSetVersion", "code", "system", "systemVersion", "display",
    "coding", "codeableConcept", "date", "abstract", "displayLanguage",
)  # fmt: skip
NOT_OFFERED: Final = ("date", "context")

_AMONG = """SELECT x.system, x.code, x.display, NULL, x.inactive, x.abstract, x.designations,
        NULL, '{{}}'::text[]
    FROM ({rows}) x WHERE x.code = ANY({codes}::text[])"""

Match = tuple[Code, Found]


async def in_code_system(scene: Scene, asked: Asked) -> Reply:
    wanted = admitted(scene, asked, "CodeSystem", IN_SYSTEM, not_offered=("date",))
    given_system = inline(wanted, "codeSystem", "CodeSystem") if len(asked.path) < 3 else None
    url = await canonical(scene, asked, wanted)
    listed = codes(wanted, system="url")
    if given_system is not None:
        found = {
            one["code"]: _as_found(code_systems.concept(one, 0))
            for one, _ in code_systems.walk(given_system.get("concept"))
        }
        return _answer(wanted, [(one, found[one.code]) for one in listed if one.code in found])
    url = _system_url(url, wanted, listed)
    system = (await resolve(scene.connection, systems=[url])).systems.get(url)
    if system is None:
        raise NotFound("terminology.unknown-system", url=url[:200])
    asked_codes = [one for one in listed if one.system in (None, system.url)]
    there = await concepts(scene.connection, system, [one.code for one in asked_codes])
    return _answer(wanted, [(one, there[one.code]) for one in asked_codes if one.code in there])


def _system_url(url: str | None, wanted: Given, listed: Sequence[Code]) -> str:
    version = wanted.text("version")
    found = url or next((one.canonical for one in listed if one.canonical), None)
    if found is None:
        raise Malformed("operation.parameter-missing", parameter="url")
    return f"{found}|{version}" if version and "|" not in found else found


def _as_found(one: Concept) -> Found:
    return Found(
        one.code, one.display, one.definition, one.inactive, one.abstract,
        list(one.designations), list(one.properties), list(one.facts),
    )  # fmt: skip


async def in_value_set(scene: Scene, asked: Asked) -> Reply:
    wanted = admitted(scene, asked, "ValueSet", IN_VALUE_SET, not_offered=NOT_OFFERED)
    given_set = inline(wanted, "valueSet", "ValueSet") if len(asked.path) < 3 else None
    url = await canonical(scene, asked, wanted, version="valueSetVersion")
    listed = codes(wanted, version="systemVersion")
    if (url is None) == (given_set is None):
        raise Malformed("operation.parameter-missing", parameter="url")
    versions = {one.system: one.version for one in listed if one.system and one.version}
    if given_set is not None:
        artifact = value_sets.artifact(given_set, "resource")
        known = await resolve(
            scene.connection, sets=artifact.imports, systems=artifact.systems, versions=versions
        )
        known, url = known.with_inline(INLINE, inline_definition(given_set)), INLINE
    else:
        assert url is not None
        known = await resolve(scene.connection, sets=[url], versions=versions)
        if known.value_set(url) is None:
            raise NotFound("terminology.unknown-value-set", url=url[:200])
    return _answer(wanted, await _in_set(scene, known, url, listed))


async def _in_set(scene: Scene, known: Known, url: str, listed: Sequence[Code]) -> list[Match]:
    composer = Composer(known, strict=False)
    composed = composer.compose(url)
    sql = _AMONG.format(rows=composed.sql, codes=composer.put([one.code for one in listed]))
    rows = await run(scene.connection, sql, composer.values, bounded=composed.has_regex)
    matches = [
        (one, Found(*row[1:]))
        for one in listed
        for row in rows
        if row[1] == one.code and one.system in (None, row[0])
    ]
    if not matches:
        _refuse_unjudged(composed, listed)
    if listed[0].system is None and len({row[0] for row in rows}) > 1:
        raise Invalid("terminology.ambiguous", code=listed[0].code[:100])
    return matches


def _refuse_unjudged(composed: Composed, listed: Sequence[Code]) -> None:
    """Not found is not the same as not in, where part of the codes is not here."""
    asked_systems = {one.system for one in listed}
    for system in sorted(composed.unjudged):
        if system == "*" or system in asked_systems or None in asked_systems:
            raise Invalid("terminology.incomplete", url=system[:200])


def _answer(wanted: Given, matches: Sequence[Match]) -> Reply:
    abstract = wanted.boolean("abstract", default=True)
    usable = [(one, found) for one, found in matches if abstract or not found.abstract]
    called = [
        (one, found) for one, found in usable if not one.display or found.is_called(one.display)
    ]
    message = None
    if not matches:
        message = "The code is not among them."
    elif not usable:
        message = "The code is abstract."
    elif not called:
        message = "The display is none of the code's names."
    elif called[0][1].inactive:
        message = "The code is no longer in use."
    parts: list[Data] = [{"name": "result", "valueBoolean": bool(called)}]
    if message:
        parts.append({"name": "message", "valueString": message})
    shown = next((_shown(found, wanted) for _, found in (called or usable)), None)
    if shown:
        parts.append({"name": "display", "valueString": shown})
    return parameters(parts)


def _shown(found: Found, wanted: Given) -> str | None:
    return in_language(found.designations or [], wanted.text("displayLanguage")) or found.display


VALIDATE_IN_SYSTEM: Final = Operation(
    name="validate-code",
    handler=in_code_system,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code",
    types=frozenset({"CodeSystem"}),
)
VALIDATE_IN_VALUE_SET: Final = Operation(
    name="validate-code",
    handler=in_value_set,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code",
    types=frozenset({"ValueSet"}),
)
