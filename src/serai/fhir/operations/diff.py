"""`$diff`: what changed between two versions of a resource, or between two resources of a type,
as the operations of a FHIRPath Patch (R4 §3.1.0.7.2): replace, insert, delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from serai.fhir.body import Data
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import Given, given, parameters
from serai.fhir.operations.operation import Operation
from serai.fhir.stored import Stored
from serai.kernel.errors import Malformed

# The server's own stamp differs between any two versions.
STAMPED: Final = ("versionId", "lastUpdated")


async def diff(scene: Scene, asked: Asked) -> Reply:
    """Of an instance: `fromVersion` (the one before, when not given) and its current version.
    Of a type: `from` and `to`."""
    if len(asked.path) == 3:
        old, new = await _versions(scene, asked)
    else:
        params = given(asked).only("from", "to")
        old = await _named(scene, asked.path[0], params, "from")
        new = await _named(scene, asked.path[0], params, "to")
    return parameters(changes(_bare(old.data), _bare(new.data), old.type))


async def _versions(scene: Scene, asked: Asked) -> tuple[Stored, Stored]:
    kind, id, _ = asked.path
    params = given(asked).only("fromVersion")
    new = await scene.store.read(scene.connection, kind, id, actor=scene.actor)
    version = params.integer("fromVersion", default=max(new.version - 1, 1), most=2**31 - 1)
    old = await scene.store.vread(scene.connection, kind, id, version, actor=scene.actor)
    return old, new


async def _named(scene: Scene, kind: str, params: Given, name: str) -> Stored:
    """Type/id of that type."""
    found, slash, id = params.required(name).partition("/")
    if found != kind or not slash:
        raise Malformed("operation.bad-parameter", parameter=name, expected=f"{kind}/[id]")
    return await scene.store.read(scene.connection, kind, id, actor=scene.actor)


def changes(old: Any, new: Any, path: str) -> Iterator[Data]:
    """Element by element; lists are compared by place."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _member(old, new, name, f"{path}.{name}")
    elif isinstance(old, list) and isinstance(new, list):
        yield from _items(old, new, path)
    elif type(old) is not type(new) or str(old) != str(new):
        # As text, because 1.0 is not 1.00 (R4 §2.24.0.1).
        yield operation("replace", path, old, new)


def _member(old: Data, new: Data, name: str, path: str) -> Iterator[Data]:
    if name not in new:
        yield operation("delete", path, old[name], None)
    elif name not in old:
        yield operation("insert", path, None, new[name])
    else:
        yield from changes(old[name], new[name], path)


def _items(old: list[Any], new: list[Any], path: str) -> Iterator[Data]:
    for place, (one, other) in enumerate(zip(old, new, strict=False)):
        yield from changes(one, other, f"{path}[{place}]")
    for place in range(len(old), len(new)):
        yield operation("insert", f"{path}[{place}]", None, new[place])
    # From the last one on, so that each place is still right when its turn comes.
    for place in range(len(old) - 1, len(new) - 1, -1):
        yield operation("delete", f"{path}[{place}]", old[place], None)


def operation(kind: str, path: str, old: Any, new: Any) -> Data:
    parts: list[Data] = [
        {"name": "type", "valueCode": kind},
        {"name": "path", "valueString": path},
    ]
    for name, value in (("previousValue", old), ("value", new)):
        if value is not None:
            parts.append(_part(name, value))
    return {"name": "operation", "part": parts}


def _part(name: str, value: Any) -> Data:
    """Primitives as value[x]; complex ones by their members."""
    if isinstance(value, dict):
        return {"name": name, "part": [_part(key, one) for key, one in value.items()]}
    if isinstance(value, list):
        return {"name": name, "part": [_part("item", one) for one in value]}
    if isinstance(value, bool):
        return {"name": name, "valueBoolean": value}
    return {"name": name, "valueString" if isinstance(value, str) else "valueDecimal": value}


def _bare(resource: Data) -> Data:
    meta = {name: one for name, one in resource.get("meta", {}).items() if name not in STAMPED}
    rest = {name: one for name, one in resource.items() if name not in ("id", "meta")}
    return rest | ({"meta": meta} if meta else {})


DIFF: Final = Operation(
    name="diff",
    handler=diff,
    levels=frozenset({"type", "instance"}),
    definition="https://serai.health/fhir/OperationDefinition/diff",
)
