"""CodeSystem/$lookup (R4 §4.9.16.1, OperationDefinition CodeSystem-lookup)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from serai.fhir.body import Data
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.coded import admitted, codes
from serai.fhir.operations.given import parameters
from serai.fhir.operations.operation import Operation
from serai.fhir.terminology.concept import Found, concept
from serai.fhir.terminology.expansion import in_language
from serai.fhir.terminology.known import System, resolve
from serai.kernel.errors import Malformed, NotFound

PARAMETERS: Final = (
    "code", "system", "version", "coding", "date", "displayLanguage", "property",
)  # fmt: skip
NOT_OFFERED: Final = ("date",)


async def lookup(scene: Scene, asked: Asked) -> Reply:
    wanted = admitted(scene, asked, "CodeSystem", PARAMETERS, not_offered=NOT_OFFERED)
    (code,) = codes(wanted, concept=False)
    if code.canonical is None:
        raise Malformed("operation.parameter-missing", parameter="system")
    known = await resolve(scene.connection, systems=[code.canonical])
    system = known.systems.get(code.canonical)
    if system is None:
        raise NotFound("terminology.unknown-system", url=code.canonical[:200])
    found = await concept(scene.connection, system, code.code)
    if found is None:
        raise NotFound("terminology.unknown-code", code=code.code[:100], system=system.url[:200])
    asked_for = frozenset(map(str, wanted.all("property")))
    return parameters(_parts(system, found, asked_for, wanted.text("displayLanguage")))


def _parts(
    system: System, found: Found, wanted: frozenset[str], language: str | None
) -> Iterator[Data]:
    yield {"name": "name", "valueString": system.head.get("name") or system.url}
    if system.version:
        yield {"name": "version", "valueString": system.version}
    shown = in_language(found.designations or [], language) or found.display or found.code
    yield {"name": "display", "valueString": shown}
    if not wanted or "designation" in wanted:
        for one in found.designations or []:
            yield {"name": "designation", "part": list(_designation(one))}
    for name, value in _properties(found):
        if not wanted or name in wanted:
            yield {"name": "property", "part": [{"name": "code", "valueCode": name}, value]}


def _designation(one: Data) -> Iterator[Data]:
    if "language" in one:
        yield {"name": "language", "valueCode": one["language"]}
    if "use" in one:
        yield {"name": "use", "valueCoding": one["use"]}
    yield {"name": "value", "valueString": one["value"]}


def _properties(found: Found) -> Iterator[tuple[str, Data]]:
    if found.definition:
        yield "definition", {"name": "value", "valueString": found.definition}
    yield "inactive", {"name": "value", "valueBoolean": found.inactive}
    for parent in found.parents:
        yield "parent", {"name": "value", "valueCode": parent}
    for child in found.children:
        yield "child", {"name": "value", "valueCode": child}
    for one in found.properties or []:
        if one["code"] not in ("parent", "child", "inactive"):
            value = {name: each for name, each in one.items() if name.startswith("value")}
            yield one["code"], {"name": "value", **value}


LOOKUP: Final = Operation(
    name="lookup",
    handler=lookup,
    levels=frozenset({"type"}),
    definition="http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup",
    types=frozenset({"CodeSystem"}),
)
