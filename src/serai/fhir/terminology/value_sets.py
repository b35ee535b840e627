"""A ValueSet resource (R4 §4.10) as rules and enumerated codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serai.fhir.body import Data
from serai.fhir.terminology.artifacts import Artifact, as_json, numbered
from serai.fhir.terminology.words import as_vector
from serai.platform.db import Connection

EXCLUDES_FROM = 10_000
MOST_RULES = 1_000

COPY = """COPY terminology_member (value_set, rule, code, display, position, words, designations)
    FROM STDIN"""


def artifact(data: Data, origin: str, resource: str | None = None) -> Artifact:
    compose = rules(data)
    wanted = [*compose["include"], *compose["exclude"]]
    return Artifact(
        "ValueSet",
        data,
        origin,
        resource,
        rules=compose,
        imports=sorted({url for rule in wanted for url in rule.get("valueSet", [])}),
        systems=sorted({canonical(rule) for rule in wanted if "system" in rule}),
    )


def rules(data: Data) -> Data:
    """compose with its enumerations replaced by the number of the rule that holds them; of a
    set that has only an expansion, one enumeration per system."""
    compose = data.get("compose") or {}
    made: Data = {"include": [], "exclude": []}
    if "inactive" in compose:
        made["inactive"] = compose["inactive"]
    for number, rule in _numbered(data):
        bare = {name: value for name, value in rule.items() if name in _KEPT}
        if "concept" in rule:
            bare["enumerated"] = number
        made["exclude" if number >= EXCLUDES_FROM else "include"].append(bare)
    return made


_KEPT = {"system", "version", "filter", "valueSet"}


def canonical(rule: Data) -> str:
    version = rule.get("version")
    return f"{rule['system']}|{version}" if version else str(rule["system"])


async def copy_members(tx: Connection, sets: list[tuple[int, Data]]) -> None:
    async with tx.cursor() as cursor, cursor.copy(COPY) as copy:
        for id, data in sets:
            for one in members(data):
                designations = as_json(one["designations"] or None)
                await copy.write_row(
                    (id, one["rule"], one["code"], one["display"], one["position"], one["words"],
                     designations)
                )  # fmt: skip


def members(data: Data) -> Iterator[dict[str, Any]]:
    """Every enumerated code with the rule that names it."""
    for number, rule in _numbered(data):
        for position, one in numbered(rule.get("concept")):
            designations = one.get("designation", [])
            texts = [one.get("display", ""), *(each["value"] for each in designations)]
            yield {
                "rule": number,
                "code": one["code"],
                "display": one.get("display"),
                "position": position,
                "words": as_vector(texts),
                "designations": designations,
            }


def _numbered(data: Data) -> Iterator[tuple[int, Data]]:
    compose = data.get("compose")
    if compose is None:
        yield from enumerate(_expanded(data.get("expansion") or {}))
        return
    yield from numbered(compose.get("include"))
    for number, rule in numbered(compose.get("exclude")):
        yield EXCLUDES_FROM + number, rule


def _expanded(expansion: Data) -> list[Data]:
    by_system: dict[str, list[Data]] = {}
    stack = list(reversed(expansion.get("contains", [])))
    while stack:
        one = stack.pop()
        stack += reversed(one.get("contains", []))
        if "code" in one and not one.get("abstract"):
            by_system.setdefault(one.get("system", ""), []).append(one)
    return [{"system": system, "concept": codes} for system, codes in by_system.items()]
