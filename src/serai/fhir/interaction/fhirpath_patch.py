"""FHIRPath Patch (R4 §3.1.0.5.3): a Parameters resource whose operations name elements by path.

Of FHIRPath it takes what names an element: children, ``[n]``, ``first()``, ``last()``,
``extension('url')``, ``ofType(T)`` and ``where(child = 'value' and …)``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from serai.fhir.body import Data
from serai.fhir.interaction.patch_paths import Place, child, evaluate, split_last
from serai.fhir.places import placing
from serai.kernel.errors import Invalid, Malformed

MOST_OPERATIONS = 1000
Parts = dict[str, Data]


def apply(target: Data, parameters: Data) -> Data:
    """The resource after every operation, or Invalid naming the first that cannot be done."""
    operations = parameters.get("parameter", [])
    if not isinstance(operations, list) or len(operations) > MOST_OPERATIONS:
        raise Malformed("patch.not-a-list", most=MOST_OPERATIONS)
    resource = copy.deepcopy(target)
    for position, one in enumerate(operations):
        with placing(f"Parameters.parameter[{position}]"):
            _apply(resource, _parts(one))
    return resource


def _apply(resource: Data, parts: Parts) -> None:
    name = str(_given(parts, "type"))[:16]
    if name not in _OPERATIONS:
        raise Malformed("patch.operation", operation=name)
    perform, allowed = _OPERATIONS[name]
    for part in parts:
        if part not in allowed:
            raise Malformed("patch.part", part=part[:64])
    perform(resource, parts)


def _parts(operation: object) -> Parts:
    given = operation if isinstance(operation, dict) else {}
    listed = given.get("part")
    if given.get("name") != "operation" or not isinstance(listed, list):
        raise Malformed("patch.operation", operation="")
    parts = {str(one.get("name")): one for one in listed if isinstance(one, dict)}
    if len(parts) != len(listed):
        raise Malformed("patch.operation", operation="")
    return parts


def _add(resource: Data, parts: Parts) -> None:
    """Sets an element that is not there, or appends to one that repeats."""
    holder = _single(resource, _path(parts))
    target = child(holder, str(_given(parts, "name")))
    value, key = _typed(parts["value"], target) if "value" in parts else _missing("value")
    if target.repeats:
        found = target.list_of(key)
        found.append(value)
        _align(target, key, lambda beside: beside.append(None))
    elif target.items():
        raise Invalid("patch.already-there")
    else:
        target.holder[key] = value


def _insert(resource: Data, parts: Parts) -> None:
    target = _list(resource, parts)
    value, key = _typed(parts["value"], target) if "value" in parts else _missing("value")
    found = target.list_of(key)
    index = _index(parts, "index", most=len(found))
    found.insert(index, value)
    _align(target, key, lambda beside: beside.insert(index, None))


def _delete(resource: Data, parts: Parts) -> None:
    """What is not there is deleted already."""
    places = evaluate(resource, _path(parts))
    if not places:
        return
    place = _one(places)
    if not place.key:
        raise Invalid("patch.no-target")
    place.remove()
    if not place.holder:
        _without(resource, place.holder)


def _without(value: Any, emptied: Data) -> None:
    """An element that lost all it had goes too: there is no empty one (R4 §2.6.2)."""
    named = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for name, inner in named:
        if isinstance(inner, dict | list) and inner is not emptied:
            _without(inner, emptied)
        if inner is emptied or inner in ({}, []):
            del value[name]
            return


def _replace(resource: Data, parts: Parts) -> None:
    place = _single(resource, _path(parts))
    if not place.key or "value" not in parts:
        raise Invalid("patch.no-target")
    value, key = _typed(parts["value"], place)
    if key != place.key:
        place.holder.pop(f"_{place.key}", None)
    place.put(key, value)


def _move(resource: Data, parts: Parts) -> None:
    target = _list(resource, parts)
    found = target.list_of(target.key)
    last = len(found) - 1
    source = _index(parts, "source", most=last)
    destination = _index(parts, "destination", most=last)
    found.insert(destination, found.pop(source))
    _align(target, target.key, lambda beside: beside.insert(destination, beside.pop(source)))


_OPERATIONS: dict[str, tuple[Callable[[Data, Parts], None], frozenset[str]]] = {
    "add": (_add, frozenset({"type", "path", "name", "value"})),
    "insert": (_insert, frozenset({"type", "path", "index", "value"})),
    "delete": (_delete, frozenset({"type", "path"})),
    "replace": (_replace, frozenset({"type", "path", "value"})),
    "move": (_move, frozenset({"type", "path", "source", "destination"})),
}


def _align(target: Place, key: str, change: Callable[[list[Any]], object]) -> None:
    """The ids and extensions of a list of primitives stand beside it (R4 §2.6.2.3)."""
    beside = target.holder.get(f"_{key}")
    if isinstance(beside, list):
        length = len(target.holder[key])
        beside.extend([None] * (length - 1 - len(beside)))
        change(beside)


def _missing(part: str) -> tuple[Any, str]:
    raise Malformed("patch.part-missing", part=part)


def _given(parts: Parts, name: str) -> Any:
    part = parts.get(name, {})
    found = [value for key, value in part.items() if key.startswith("value")]
    if len(found) != 1:
        raise Malformed("patch.part-missing", part=name)
    return found[0]


def _path(parts: Parts) -> str:
    return str(_given(parts, "path"))


def _index(parts: Parts, name: str, *, most: int) -> int:
    value = _given(parts, name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Invalid("patch.index", part=name)
    return value


def _list(resource: Data, parts: Parts) -> Place:
    """The list that the path names, not its members."""
    before, name = split_last(_path(parts))
    target = child(_single(resource, before), name)
    if not target.repeats:
        raise Invalid("patch.no-list")
    return target


def _single(resource: Data, path: str) -> Place:
    return _one(evaluate(resource, path))


def _one(places: list[Place]) -> Place:
    if len(places) != 1:
        raise Invalid("patch.not-one", count=len(places))
    return places[0]


def _typed(part: Data, target: Place) -> tuple[Any, str]:
    """The value of a part with the JSON key it gets; a choice is named after the value's type."""
    found = [(key, value) for key, value in part.items() if key.startswith("value")]
    if len(found) == 1 and "part" not in part:
        key, value = found[0]
        return value, target.json_key(key.removeprefix("value"))
    if "resource" in part and not found:
        return part["resource"], target.key
    if "part" in part and not found:
        return _assembled(part, target), target.key
    raise Malformed("patch.part-missing", part="value")


def _assembled(part: Data, target: Place) -> Data:
    """A backbone element has no type name to write it as: it comes as its parts."""
    made: Data = {}
    whole = Place(made, "", target.spot)
    for one in part["part"] if isinstance(part["part"], list) else ():
        inner = child(whole, str(one.get("name")) if isinstance(one, dict) else "")
        value, key = _typed(one, inner)
        if inner.repeats:
            made.setdefault(key, []).append(value)
        else:
            made[key] = value
    return made
