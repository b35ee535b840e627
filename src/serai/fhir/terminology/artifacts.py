"""Rows of terminology_artifact: what carries a canonical URL, and which one answers to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from serai.fhir.body import Data
from serai.platform.db import Connection

# Among those with the same URL the lowest rank answers: a complete system before a part of it,
# then what was stored here before a release file before HL7's package.
_CONTENT_RANK: Final = {"complete": 0, "fragment": 10, "example": 20}
_ORIGIN_RANK: Final = {"resource": 0, "release": 1, "package": 2}
BEST: Final = "rank, version DESC, id DESC"

# One and the same row for a resource's whole life, so that whoever resolved it just now still
# finds its concepts.
KEEP = """INSERT INTO terminology_artifact
    (kind, url, version, origin, resource, rank, content, implicit, rules, imports, systems, head)
    VALUES (%(kind)s, %(url)s, %(version)s, %(origin)s, %(resource)s, %(rank)s, %(content)s,
        %(implicit)s, %(rules)s, %(imports)s, %(systems)s, %(head)s)
    ON CONFLICT (kind, resource) WHERE resource IS NOT NULL DO UPDATE SET
        url = EXCLUDED.url, version = EXCLUDED.version, rank = EXCLUDED.rank,
        content = EXCLUDED.content, implicit = EXCLUDED.implicit, rules = EXCLUDED.rules,
        imports = EXCLUDED.imports, systems = EXCLUDED.systems, head = EXCLUDED.head
    RETURNING id"""
RELEASED = """SELECT id FROM terminology_artifact
    WHERE kind = 'CodeSystem' AND origin = 'release' AND url = %s AND version = %s"""
FORGET = "DELETE FROM terminology_artifact WHERE kind = %s AND resource = %s"
CLEAR = {
    "CodeSystem": "DELETE FROM terminology_concept WHERE system = %s",
    "ValueSet": "DELETE FROM terminology_member WHERE value_set = %s",
    "ConceptMap": "DELETE FROM terminology_mapping WHERE map = %s",
}

_LEFT_OUT: Final = {
    "CodeSystem": {"text", "contained", "concept"},
    "ValueSet": {"text", "contained", "compose", "expansion"},
    "ConceptMap": {"text", "contained", "group"},
}


@dataclass(frozen=True, slots=True)
class Artifact:
    """One row to be kept."""

    kind: str
    data: Data
    origin: str
    resource: str | None = None
    rules: Any = None
    imports: list[str] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        data, is_system = self.data, self.kind == "CodeSystem"
        content = data.get("content") if is_system else None
        left_out = _LEFT_OUT[self.kind]
        head = {name: value for name, value in data.items() if name not in left_out}
        return {
            "kind": self.kind,
            "url": data["url"],
            "version": data.get("version", ""),
            "origin": self.origin,
            "resource": self.resource,
            "rank": _ORIGIN_RANK[self.origin] + (_CONTENT_RANK.get(content or "complete", 30)),
            "content": content,
            "implicit": data.get("valueSet") if is_system else None,
            "rules": as_json(self.rules),
            "imports": self.imports,
            "systems": self.systems,
            "head": as_json(head),
        }


async def keep(tx: Connection, artifact: Artifact) -> int:
    """The id of the row, which then has no concepts, members or mappings."""
    row = await (await tx.execute(KEEP, artifact.values())).fetchone()
    assert row is not None
    await tx.execute(CLEAR[artifact.kind], (row[0],))
    return int(row[0])


async def keep_release(tx: Connection, data: Data) -> int:
    """A code system out of a release file; the same version once more replaces what it gave."""
    found = await tx.execute(RELEASED, (data["url"], data.get("version", "")))
    row = await found.fetchone()
    if row is not None:
        await tx.execute("DELETE FROM terminology_artifact WHERE id = %s", row)
    return await keep(tx, Artifact("CodeSystem", data, "release"))


def split(canonical: str) -> tuple[str, str | None]:
    """``url|version`` (R4 §2.24.0.3); the version is None where none is asked for."""
    url, bar, version = canonical.partition("|")
    return url, (version or None) if bar else None


def as_json(value: Any) -> str | None:
    return msgspec.json.encode(value).decode() if value is not None else None


def numbered(things: object) -> Iterator[tuple[int, Data]]:
    """The objects of a JSON list with their places."""
    if isinstance(things, list):
        yield from ((at, one) for at, one in enumerate(things) if isinstance(one, dict))
