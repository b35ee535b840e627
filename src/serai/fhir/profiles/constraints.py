"""Invariants in FHIRPath (R4 §2.28, ElementDefinition.constraint), each parsed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final

from serai.fhir.profiles.model import Constraint, Node
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.values import Item

# What the base validation says already, and faster.
BY_BASE: Final = frozenset({"ele-1", "ext-1", "dom-2", "dom-4", "dom-5"})
# Some expressions take quadratic time over the entries of a Bundle.
MOST_ITEMS = 2000
LONGEST_EXPRESSION = 4000
# What one takes, in steps of a walk.
WEIGHT: Final = 50

Evaluate = Callable[[Any, Any, Any], list[Any]]


@cache
def _library() -> Any:
    """Loaded with the first invariant: it is large and slow to load."""
    return import_module("fhirpathpy"), import_module("fhirpathpy.models").models["r4"]


@cache
def _nodes() -> Any:
    return import_module("fhirpathpy.engine.nodes").ResourceNode


@cache
def _resources() -> Any:
    """Nodes of whole resources: the library knows their type by a path, and by a member where an
    expression begins with it (``Patient.name``)."""

    def member(self: Any, name: str) -> Any:
        return self.data[name]

    return type("Resource", (_nodes(),), {"__getitem__": member})


def _has_value(values: list[Any]) -> bool:
    data = [getattr(one, "data", one) for one in values]
    return len(data) == 1 and data[0] is not None and not isinstance(data[0], dict)


OPTIONS: Final = {
    "userInvocationTable": {"hasValue": {"fn": _has_value, "arity": {0: []}}},
    "traceFn": lambda *_: None,
}


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> Any:
    library, model = _library()
    return library.compile(expression, model, OPTIONS)


def check(node: Node, item: Item, resource: Any, root: Any, report: Report) -> None:
    variables = {"resource": _typed(resource), "rootResource": _typed(root)}
    for one in node.constraints:
        if one.key not in BY_BASE and one.expression:
            _check_one(one, node, item, variables, report)


def _check_one(
    one: Constraint, node: Node, item: Item, variables: dict[str, Any], report: Report
) -> None:
    holds = _holds(one.expression, node, item, variables)
    if holds is None:
        report.add(
            "informational", "profile.constraint-not-run", item.place, "information",
            constraint=one.key,
        )  # fmt: skip
    elif not holds:
        severity = "warning" if one.severity == "warning" else "error"
        details = {"constraint": one.key, "human": one.human}
        report.add("invariant", "profile.constraint", item.place, severity, **details)


def _holds(expression: str, node: Node, item: Item, variables: dict[str, Any]) -> bool | None:
    """None when the library cannot tell."""
    if len(expression) > LONGEST_EXPRESSION or is_too_large(item.value):
        return None
    value = _context(node, item)
    try:
        found = _parsed(expression)(value, variables)
    except Exception:  # noqa: BLE001 the library has no error type of its own
        return None
    return all(one is True for one in found)


def is_too_large(value: Any) -> bool:
    lists = value.values() if isinstance(value, dict) else ()
    return any(isinstance(one, list) and len(one) > MOST_ITEMS for one in lists)


def _context(node: Node, item: Item) -> Any:
    """A value with the path that tells the library its type."""
    if isinstance(item.value, dict) and "resourceType" in item.value:
        return _typed(item.value)
    path = item.type if node.is_choice else node.path
    return _nodes().create_node(item.value if item.value is not None else item.twin, path)


def _typed(resource: dict[str, Any]) -> Any:
    return _resources()(resource, resource.get("resourceType"))
