"""JSON Patch (RFC 6902) on a decoded resource; numbers stay Decimal and keep their digits."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from serai.fhir.body import parse_json
from serai.fhir.places import placing
from serai.kernel.errors import Invalid, Malformed

MOST_OPERATIONS = 1000
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")

Json = Any
Pointer = tuple[str, ...]


def apply(target: Json, raw: bytes) -> Json:
    """The target after every operation, or Invalid naming the first that cannot be done."""
    _, operations = parse_json(raw)
    if not isinstance(operations, list) or len(operations) > MOST_OPERATIONS:
        raise Malformed("patch.not-a-list", most=MOST_OPERATIONS)
    document = copy.deepcopy(target)
    for position, operation in enumerate(operations):
        with placing(f"operation[{position}]"):
            document = _apply(document, operation)
    return document


def _apply(document: Json, operation: Json) -> Json:
    if not isinstance(operation, dict):
        raise Malformed("patch.operation", operation="")
    name = str(operation.get("op"))[:16]
    perform = _OPERATIONS.get(name)
    if perform is None:
        raise Malformed("patch.operation", operation=name)
    return perform(document, operation)


def _add(document: Json, operation: dict[str, Json]) -> Json:
    return _put(document, _pointer(operation, "path"), _value(operation))


def _remove(document: Json, operation: dict[str, Json]) -> Json:
    _take(document, _pointer(operation, "path"))
    return document


def _replace(document: Json, operation: dict[str, Json]) -> Json:
    path, value = _pointer(operation, "path"), _value(operation)
    if not path:
        return value
    holder = _at(document, path[:-1])
    holder[_existing(holder, path[-1])] = value
    return document


def _move(document: Json, operation: dict[str, Json]) -> Json:
    source, path = _pointer(operation, "from"), _pointer(operation, "path")
    if path[: len(source)] == source and path != source:
        raise Invalid("patch.no-target")
    return _put(document, path, _take(document, source))


def _copy(document: Json, operation: dict[str, Json]) -> Json:
    found = _at(document, _pointer(operation, "from"))
    return _put(document, _pointer(operation, "path"), copy.deepcopy(found))


def _test(document: Json, operation: dict[str, Json]) -> Json:
    if not _same(_at(document, _pointer(operation, "path")), _value(operation)):
        raise Invalid("patch.test-failed")
    return document


_OPERATIONS: dict[str, Callable[[Json, dict[str, Json]], Json]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _value(operation: dict[str, Json]) -> Json:
    if "value" not in operation:
        raise Malformed("patch.no-value")
    return operation["value"]


def _pointer(operation: dict[str, Json], name: str) -> Pointer:
    """RFC 6901"""
    text = operation.get(name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise Malformed("patch.pointer", member=name)
    if re.search(r"~(?![01])", text):
        raise Malformed("patch.pointer", member=name)
    return tuple(one.replace("~1", "/").replace("~0", "~") for one in text.split("/")[1:])


def _at(document: Json, path: Pointer) -> Json:
    for step in path:
        document = document[_existing(document, step)]
    return document


def _existing(holder: Json, step: str) -> Any:
    if isinstance(holder, dict) and step in holder:
        return step
    if isinstance(holder, list) and _INDEX.fullmatch(step) and int(step) < len(holder):
        return int(step)
    raise Invalid("patch.no-target")


def _put(document: Json, path: Pointer, value: Json) -> Json:
    if not path:
        return value
    holder, step = _at(document, path[:-1]), path[-1]
    if isinstance(holder, dict):
        holder[step] = value
    elif isinstance(holder, list) and step == "-":
        holder.append(value)
    elif isinstance(holder, list) and _INDEX.fullmatch(step) and int(step) <= len(holder):
        holder.insert(int(step), value)
    else:
        raise Invalid("patch.no-target")
    return document


def _take(document: Json, path: Pointer) -> Json:
    if not path:
        raise Invalid("patch.no-target")
    holder = _at(document, path[:-1])
    return holder.pop(_existing(holder, path[-1]))


def _same(one: Json, other: Json) -> bool:
    """Equal as JSON: true is not 1, though Python says so; 1.0 and 1.00 are the same number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return bool(one == other)
