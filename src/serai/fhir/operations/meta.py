"""`$meta`, `$meta-add` and `$meta-delete`: profiles, tags and security labels (R4 §3.2, Resource
operations).

R4 lets labels change without a new version (Meta.tag: "can be updated without changing the
stated version") but does not ask for it. Here they make one, like any change: history says who
labelled what and when, and an ETag never stands for two contents. What changes nothing makes none.
So the labels of an older version can be asked for, and not be changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from serai.fhir.body import Data, of
from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.interaction import reading
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.interaction.writing import write_one
from serai.fhir.operations.given import given, parameters
from serai.fhir.operations.operation import Operation
from serai.fhir.search.keys import key
from serai.fhir.store import Write
from serai.fhir.stored import Stored
from serai.fhir.terminology.running import run
from serai.fhir.visibility import clause, require
from serai.kernel.errors import Forbidden, Malformed, Stale, TooLarge

CODED: Final = ("tag", "security")
SETS: Final = ("profile", *CODED)
MOST: Final = 10_000

# Only rows that the index knows to carry labels are opened.
IN_USE: Final = """WITH labelled AS MATERIALIZED (
    SELECT convert_from(r.content, 'UTF8')::jsonb -> 'meta' AS meta
    FROM (SELECT * FROM fhir_resource r WHERE r.keys && %(keys)s::bigint[] OFFSET 0) r
    WHERE r.type = ANY (%(types)s::text[]) AND NOT r.deleted AND {visible}
)
SELECT 'profile', NULL, url, NULL FROM labelled
    CROSS JOIN jsonb_array_elements_text(meta -> 'profile') AS url
    WHERE url IS NOT NULL GROUP BY url
UNION ALL
SELECT part, one ->> 'system', one ->> 'code', max(one ->> 'display') FROM labelled
    CROSS JOIN unnest(ARRAY['tag', 'security']) AS part
    CROSS JOIN jsonb_array_elements(meta -> part) AS one
    GROUP BY 1, 2, 3
ORDER BY 1, 2, 3 LIMIT %(most)s"""


async def meta(scene: Scene, asked: Asked) -> Reply:
    """Of one resource, or a version of it, its meta; of a type or the system the labels in use
    where the actor sees them."""
    given(asked).only()
    if len(asked.path) == 5:
        return _returned(await reading.version(scene, asked.path))
    if len(asked.path) == 3:
        kind, id, _ = asked.path
        found = await scene.store.read(scene.connection, kind, id, actor=scene.actor)
        return _returned(found)
    return parameters([_return(await _in_use(scene, _types(scene, asked)))])


def _types(scene: Scene, asked: Asked) -> list[str]:
    if len(asked.path) == 2:
        require(scene.actor, "s", asked.path[0])
        return [asked.path[0]]
    allowed = [kind for kind in sorted(RESOURCE_TYPES) if scene.actor.may("s", kind)]
    if not allowed:
        raise Forbidden("fhir.scope", interaction="s", type="*")
    return allowed


async def _in_use(scene: Scene, types: list[str]) -> Data:
    visible, values = clause(scene.actor)
    values |= {
        "types": types,
        "keys": [key("has", kind, f"_{name}") for kind in types for name in SETS],
        "most": MOST + 1,
    }
    statement = IN_USE.format(visible=visible)
    try:
        rows = await run(scene.connection, statement, values, bounded=True)
    except TooLarge as error:
        raise TooLarge("meta.too-many") from error
    if len(rows) > MOST:
        raise TooLarge("meta.too-many")
    made: Data = {}
    for part, system, code, display in rows:
        coding = {"system": system, "code": code, "display": display}
        label = code if part == "profile" else {k: v for k, v in coding.items() if v is not None}
        made.setdefault(part, []).append(label)
    return made


async def meta_add(scene: Scene, asked: Asked) -> Reply:
    """Sets: what is there already stays as it is."""
    return await _change(scene, asked, added)


async def meta_delete(scene: Scene, asked: Asked) -> Reply:
    """What is not there needs no deleting."""
    return await _change(scene, asked, deleted)


async def _change(scene: Scene, asked: Asked, change: Callable[[Data, Data], Data]) -> Reply:
    kind, id, _ = asked.path
    labels = _labels(given(asked).only("meta").one("meta"))
    require(scene.actor, "u", kind)
    found = await scene.store.read_to_change(scene.connection, kind, id, actor=scene.actor)
    version = asked.conditions.version
    if version is not None and version != found.version:
        raise Stale("fhir.stale", resource=found.reference)
    old = found.data.get("meta", {})
    new = change(old, labels)
    if new == old:
        # Nothing is written, but the labels are shown.
        place = f"{found.reference}/{asked.path[-1]}"
        scene.store.trail.note(scene.actor, "fhir.look", place, at=scene.now)
        return _returned(found)
    body = of(found.data | {"meta": new})
    return _returned(await write_one(scene, Write("PUT", kind, id, body, version)))


def _labels(value: Any) -> Data:
    """Only what may be changed: a client may send back the meta it read."""
    if value is None:
        raise Malformed("operation.parameter-missing", parameter="meta")
    if not isinstance(value, dict):
        raise Malformed("operation.bad-parameter", parameter="meta", expected="a Meta")
    for name in SETS:
        wanted = str if name == "profile" else dict
        listed = value.get(name, [])
        if not isinstance(listed, list) or not all(isinstance(one, wanted) for one in listed):
            raise Malformed("operation.bad-parameter", parameter="meta", expected="a Meta")
    return {name: value[name] for name in SETS if value.get(name)}


def added(old: Data, labels: Data) -> Data:
    new = dict(old)
    for name, several in labels.items():
        kept = list(old.get(name, []))
        seen = {identity(one) for one in kept}
        for one in several:
            if identity(one) not in seen:
                seen.add(identity(one))
                kept.append(one)
        new[name] = kept
        if f"_{name}" in new:
            new[f"_{name}"] = _padded(new[f"_{name}"], len(kept))
    return new


def deleted(old: Data, labels: Data) -> Data:
    new = dict(old)
    for name, several in labels.items():
        gone = {identity(one) for one in several}
        kept = old.get(name, [])
        places = [at for at, one in enumerate(kept) if identity(one) not in gone]
        beside = _padded(old.get(f"_{name}", []), len(kept))
        for member, values in ((name, kept), (f"_{name}", beside)):
            new.pop(member, None)
            left = [values[at] for at in places]
            if any(one is not None for one in left):
                new[member] = left
    return new


def _padded(beside: list[Any], length: int) -> list[Any]:
    """Extensions of primitives stand in a list of the same length (R4 §2.6.2.2)."""
    return [*beside, *[None] * (length - len(beside))]


def identity(label: Any) -> Any:
    """A tag is its system and code, a profile its whole URL."""
    return (label.get("system"), label.get("code")) if isinstance(label, dict) else label


def _returned(found: Stored) -> Reply:
    reply = parameters([_return(found.data.get("meta", {}))])
    return Reply(reply.status, reply.content, found)


def _return(made: Data) -> Data:
    return {"name": "return", "valueMeta": made}


DEFINITION: Final = "http://hl7.org/fhir/OperationDefinition/Resource-"
META: Final = Operation(
    name="meta",
    handler=meta,
    levels=frozenset({"system", "type", "instance", "version"}),
    definition=f"{DEFINITION}meta",
)
META_ADD: Final = Operation(
    name="meta-add",
    handler=meta_add,
    levels=frozenset({"instance"}),
    definition=f"{DEFINITION}meta-add",
    writes=True,
)
META_DELETE: Final = Operation(
    name="meta-delete",
    handler=meta_delete,
    levels=frozenset({"instance"}),
    definition=f"{DEFINITION}meta-delete",
    writes=True,
)
