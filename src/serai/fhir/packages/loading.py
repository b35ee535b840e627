"""Packages into the store: ordinary resources, a transaction for each chunk, nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from serai.fhir.body import Body, Data, decode, of
from serai.fhir.packages.archive import Package
from serai.fhir.search.keys import key
from serai.fhir.store import FhirStore, Write
from serai.fhir.store.rows import check
from serai.fhir.validation import validate
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor
from serai.kernel.errors import Invalid
from serai.platform.db import Connection, Database

CHUNK: Final = 200

# Under the same canonical URL, or under the id that the package gives.
HELD = """SELECT r.type, r.id, r.content FROM fhir_resource r
    JOIN unnest(%(types)s::text[], %(ids)s::text[], %(keys)s::bigint[]) AS w(type, id, key)
      ON r.type = w.type AND (r.id = w.id OR r.keys @> ARRAY[w.key])
    WHERE {visible}"""

REMEMBER = """INSERT INTO fhir_package (name, version, resources, loaded_at)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (name, version) DO UPDATE SET resources = excluded.resources"""
LIST = "SELECT name, version, resources, loaded_at FROM fhir_package ORDER BY name, version"


@dataclass(frozen=True, slots=True)
class Loaded:
    name: str
    version: str
    resources: int
    loaded_at: datetime
    written: int = 0
    refused: tuple[tuple[str, Invalid], ...] = ()


async def load(
    db: Database, store: FhirStore, package: Package, *, actor: Actor, now: datetime
) -> Loaded:
    """Loading again writes only what has changed. What R4 does not allow is left out and told:
    published packages do hold such resources."""
    written = 0
    tidied = [_without_unsafe_narrative(one) for one in package.resources]
    refused = tuple(_refused(tidied))
    without = {name for name, _ in refused}
    resources = [one for one in tidied if _name(one) not in without]
    for start in range(0, len(resources), CHUNK):
        chunk = resources[start : start + CHUNK]
        async with db.transaction() as tx:
            writes = await _writes(tx, chunk, actor)
            if writes:
                await store.write(tx, writes, actor=actor, now=now)
            written += len(writes)
    count = len(resources)
    async with db.transaction() as tx:
        await tx.execute(REMEMBER, (package.name, package.version, count, now))
    return Loaded(package.name, package.version, count, now, written, refused)


def _without_unsafe_narrative(body: Body) -> Body:
    """HL7's publisher writes narratives that the standard does not allow; the definition is
    what is wanted."""
    found = {one.key for one in validate(body.data) if one.severity == "error"}
    if "fhir.narrative-unsafe" not in found:
        return body
    return of({name: value for name, value in body.data.items() if name != "text"})


def _refused(resources: Iterable[Body]) -> Iterator[tuple[str, Invalid]]:
    for one in resources:
        try:
            check(one, resource_type=one.type)
        except Invalid as error:
            yield _name(one), error


def _name(body: Body) -> str:
    return f"{body.type}/{body.id}"


async def loaded(connection: Connection) -> list[Loaded]:
    cursor = await connection.execute(LIST)
    return [Loaded(*row) for row in await cursor.fetchall()]


async def _writes(tx: Connection, chunk: Sequence[Body], actor: Actor) -> list[Write]:
    visible, values = clause(actor)
    keys = [key("uri", one.type, "url", str(one.data.get("url", ""))) for one in chunk]
    wanted = {"types": [o.type for o in chunk], "ids": [o.id or "" for o in chunk], "keys": keys}
    cursor = await tx.execute(HELD.format(visible=visible), values | wanted, binary=True)
    taken: dict[tuple[str, str], Data | None] = {}
    canonical: dict[tuple[str, str, str], str] = {}
    for kind, id, content in await cursor.fetchall():
        data = decode(content) if content is not None else None
        taken[kind, id] = data
        if data and (named := _canonical(data)):
            canonical[named] = id
    found = (_write(one, taken, canonical) for one in chunk)
    return [one for one in found if one is not None]


def _write(
    body: Body,
    taken: dict[tuple[str, str], Data | None],
    canonical: dict[tuple[str, str, str], str],
) -> Write | None:
    """None when the store holds the same already."""
    named = _canonical(body.data)
    id = body.id or _made_id(named, body)
    if named is not None:
        other = taken.get((body.type, id))
        if named in canonical:
            id = canonical[named]
        elif other is not None and _canonical(other) != named:
            id = _made_id(named, body)
        canonical[named] = id
    held = taken.get((body.type, id))
    if held is not None and _content(held) == _content(body.data):
        return None
    taken[body.type, id] = body.data
    return Write("PUT", body.type, id, of(body.data | {"id": id}) if id != body.id else body)


def _canonical(data: Data) -> tuple[str, str, str] | None:
    url = data.get("url")
    if not isinstance(url, str):
        return None
    return str(data["resourceType"]), url, str(data.get("version", ""))


def _made_id(named: tuple[str, str, str] | None, body: Body) -> str:
    """Another version may hold the package's own id: then one made of URL and version."""
    return sha256("|".join(named).encode() if named else body.raw).hexdigest()[:40]


def _content(data: Data) -> dict[str, Any]:
    """What the server does not set itself."""
    meta = data.get("meta") or {}
    own = {name: one for name, one in meta.items() if name not in ("versionId", "lastUpdated")}
    rest = {name: one for name, one in data.items() if name not in ("id", "meta")}
    return rest | ({"meta": own} if own else {})
