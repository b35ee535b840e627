"""A ConceptMap resource (R4 §4.11) as one row per mapping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serai.fhir.body import Data
from serai.fhir.terminology.artifacts import Artifact, as_json, numbered
from serai.platform.db import Connection

COPY = """COPY terminology_mapping (map, source_system, source_code, target_system, target_code,
    equivalence, position, target) FROM STDIN"""


def artifact(data: Data, origin: str, resource: str | None = None) -> Artifact:
    return Artifact("ConceptMap", data, origin, resource, rules=groups(data))


def groups(data: Data) -> list[Data]:
    """The groups without their elements: systems, and what happens to unmapped codes."""
    return [
        {name: value for name, value in group.items() if name != "element"}
        for _, group in numbered(data.get("group"))
    ]


async def copy_mappings(tx: Connection, maps: list[tuple[int, Data]]) -> None:
    async with tx.cursor() as cursor, cursor.copy(COPY) as copy:
        for id, data in maps:
            for one in mappings(data):
                await copy.write_row(
                    (id, one["source_system"], one["source_code"], one["target_system"],
                     one["target_code"], one["equivalence"], one["position"],
                     as_json(one["target"]))
                )  # fmt: skip


def mappings(data: Data) -> Iterator[dict[str, Any]]:
    position = 0
    for _, group in numbered(data.get("group")):
        for _, element in numbered(group.get("element")):
            for _, target in numbered(element.get("target")):
                if "code" not in element:
                    continue
                position += 1
                yield {
                    "source_system": group.get("source"),
                    "source_code": element["code"],
                    "target_system": group.get("target"),
                    "target_code": target.get("code"),
                    "equivalence": target["equivalence"],
                    "position": position,
                    "target": target | {"sourceDisplay": element.get("display")},
                }
