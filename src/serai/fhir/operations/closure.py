"""$closure (R4 §4.8.6, OperationDefinition ConceptMap-closure): a table kept by name, to which
a client adds the codes it meets and of which it gets what is new."""

from __future__ import annotations

from typing import Any, Final

from serai.fhir.body import Data, encode
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.coded import Code, admitted, coding
from serai.fhir.operations.operation import Operation
from serai.fhir.terminology.known import Known, resolve
from serai.kernel.clock import instant
from serai.kernel.errors import Malformed, NotFound, TooLarge
from serai.kernel.ids import new_id

PARAMETERS: Final = ("name", "concept", "version")
MOST_AT_ONCE = 1_000

START = """INSERT INTO terminology_closure (owner, name, version) VALUES (%(owner)s, %(name)s, 0)
    ON CONFLICT (owner, name) DO UPDATE SET version = 0"""
EMPTY = "DELETE FROM terminology_closure_code WHERE owner = %(owner)s AND name = %(name)s"
# The lock lets two clients of one table add one after the other.
CURRENT = """SELECT version FROM terminology_closure
    WHERE owner = %(owner)s AND name = %(name)s FOR UPDATE"""
ADVANCE = """UPDATE terminology_closure SET version = %(version)s
    WHERE owner = %(owner)s AND name = %(name)s"""
ADD = """INSERT INTO terminology_closure_code (owner, name, system, code, since)
    SELECT %(owner)s, %(name)s, given.system, given.code, %(version)s
    FROM unnest(%(systems)s::text[], %(codes)s::text[]) AS given(system, code)
    ON CONFLICT DO NOTHING"""

# A pair is new when either of its codes is.
NEW_PAIRS = """SELECT below.system, below.code, above.code
    FROM terminology_closure_code below
    JOIN terminology_closure_code above ON above.owner = below.owner
        AND above.name = below.name AND above.system = below.system
    JOIN unnest(%(urls)s::text[], %(ids)s::integer[]) AS s(url, id) ON s.url = below.system
    JOIN terminology_concept c ON c.system = s.id AND c.code = below.code
    JOIN terminology_concept a ON a.system = s.id AND a.code = above.code
    WHERE below.owner = %(owner)s AND below.name = %(name)s
      AND greatest(below.since, above.since) > %(since)s AND a.id = ANY(c.ancestors)
    ORDER BY below.system, below.code, above.code"""
SYSTEMS = """SELECT DISTINCT system FROM terminology_closure_code
    WHERE owner = %(owner)s AND name = %(name)s"""


async def closure(scene: Scene, asked: Asked) -> Reply:
    wanted = admitted(scene, asked, "ConceptMap", PARAMETERS)
    table = {
        "owner": scene.actor.organisation or scene.actor.id,
        "name": wanted.required("name"),
    }
    concepts = [found for one in wanted.all("concept") if (found := coding(one, "concept"))]
    since = wanted.text("version")
    if concepts and since is not None:
        raise Malformed("terminology.closure-both")
    if not concepts and since is None:
        await scene.connection.execute(START, table)
        await scene.connection.execute(EMPTY, table)
        return _reply(scene, table, 0, [])
    row = await (await scene.connection.execute(CURRENT, table)).fetchone()
    if row is None:
        raise NotFound("terminology.unknown-closure", name=table["name"][:100])
    if since is not None:
        start = _version(since)
        known = await _known(scene, table)
        return _reply(scene, table, row[0], await _pairs(scene, table, known, start))
    version = row[0] + 1
    known = await _add(scene, table, concepts, version)
    return _reply(scene, table, version, await _pairs(scene, table, known, version - 1))


def _version(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise Malformed("operation.bad-parameter", parameter="version", expected="a version")
    return int(text)


async def _add(scene: Scene, table: dict[str, Any], concepts: list[Code], version: int) -> Known:
    if len(concepts) > MOST_AT_ONCE:
        raise TooLarge("terminology.too-costly", most=MOST_AT_ONCE)
    if any(one.system is None for one in concepts):
        raise Malformed("operation.bad-parameter", parameter="concept", expected="a Coding")
    values = table | {
        "version": version,
        "systems": [one.system for one in concepts],
        "codes": [one.code for one in concepts],
    }
    await scene.connection.execute(ADD, values)
    await scene.connection.execute(ADVANCE, values)
    return await _known(scene, table)


async def _known(scene: Scene, table: dict[str, Any]) -> Known:
    rows = await (await scene.connection.execute(SYSTEMS, table)).fetchall()
    return await resolve(scene.connection, systems=[system for (system,) in rows])


async def _pairs(
    scene: Scene, table: dict[str, Any], known: Known, since: int
) -> list[tuple[Any, ...]]:
    systems = list(known.systems.items())
    values = table | {
        "since": since,
        "urls": [url for url, _ in systems],
        "ids": [one.id for _, one in systems],
    }
    return await (await scene.connection.execute(NEW_PAIRS, values)).fetchall()


def _reply(
    scene: Scene, table: dict[str, Any], version: int, pairs: list[tuple[Any, ...]]
) -> Reply:
    """``subsumes``: the target is the more general one (ConceptMapEquivalence)."""
    groups: dict[str, dict[str, list[Data]]] = {}
    for system, code, above in pairs:
        targets = groups.setdefault(system, {}).setdefault(code, [])
        targets.append({"code": above, "equivalence": "subsumes"})
    made: Data = {
        "resourceType": "ConceptMap",
        "id": new_id(),
        "version": str(version),
        "name": table["name"],
        "status": "active",
        "experimental": True,
        "date": instant(scene.now),
    }
    if groups:
        made["group"] = [
            {
                "source": system,
                "target": system,
                "element": [{"code": code, "target": to} for code, to in elements.items()],
            }
            for system, elements in groups.items()
        ]
    return Reply(200, encode(made))


CLOSURE: Final = Operation(
    name="closure",
    handler=closure,
    levels=frozenset({"system"}),
    definition="http://hl7.org/fhir/OperationDefinition/ConceptMap-closure",
    writes=True,
)
