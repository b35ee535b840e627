"""Compiles the search parameters of a type into one tree, so that a resource is walked once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache

from serai.fhir import definitions
from serai.fhir.definitions import Component, Element, SearchParameter, TypeRef
from serai.fhir.search import expression, literals, own
from serai.fhir.search.composites import composite
from serai.fhir.search.evaluating import evaluated
from serai.fhir.search.expression import (
    Child,
    First,
    HoldsUnlessFalse,
    NotUnderstood,
    OfType,
    Path,
    Resolves,
    Where,
)
from serai.fhir.search.indexed import Harvest, TokenValue
from serai.fhir.search.stored_under import is_kept_elsewhere
from serai.fhir.search.values import Emit, emitter

Condition = Where | Resolves
Test = Callable[[object], bool]
Hop = tuple[str, bool] | Condition  # (JSON key, only the first) or a condition to meet


@dataclass(slots=True)
class Node:
    """`keys` and `firsts` lead on by JSON key, `guarded` where the value meets a condition."""

    emits: list[Emit] = field(default_factory=list)
    keys: dict[str, Node] = field(default_factory=dict)
    firsts: dict[str, Node] = field(default_factory=dict)
    guarded: dict[Condition, tuple[Test, Node]] = field(default_factory=dict)

    def visit(self, value: object, harvest: Harvest) -> None:
        if type(value) is list:
            for item in value:
                self._visit_one(item, harvest)
        else:
            self._visit_one(value, harvest)

    def _visit_one(self, value: object, harvest: Harvest) -> None:
        for emit in self.emits:
            emit(value, harvest)
        if type(value) is not dict:
            return
        keys = self.keys
        for name, child in value.items():
            if name in keys:
                keys[name].visit(child, harvest)
        if self.firsts or self.guarded:
            self._visit_some(value, harvest)

    def _visit_some(self, value: dict[str, object], harvest: Harvest) -> None:
        for name, node in self.firsts.items():
            if isinstance(several := value.get(name), list) and several:
                node.visit(several[0], harvest)
        for test, node in self.guarded.values():
            if test(value):
                node.visit(value, harvest)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a path has arrived: the hops in JSON, the element and the type of its value."""

    hops: tuple[Hop, ...]
    type: str
    path: str
    element: Element | None = None
    kind: TypeRef | None = None


@cache
def plan(resource_type: str) -> Node:
    """The tree for every parameter of the type that can be indexed."""
    root = Node()
    for parameter in own.search_parameters(resource_type).values():
        if parameter.is_supported:
            for spot, emit in emits(resource_type, parameter):
                hops = () if parameter.type == "composite" else spot.hops
                _node(root, hops).emits.append(emit)
    return root


@cache
def plan_of_texts(resource_type: str) -> Node:
    """The tree for what `:text` of each token parameter searches."""
    root = Node()
    for parameter in own.search_parameters(resource_type).values():
        if parameter.type == "token" and parameter.is_supported:
            for spot, emit in emits(resource_type, replace(parameter, type="text")):
                _node(root, spot.hops).emits.append(emit)
    return root


@cache
def plan_of(resource_type: str, param: str) -> Node:
    """The tree for one parameter alone."""
    root = Node()
    for spot, emit in emits(resource_type, own.search_parameters(resource_type)[param]):
        _node(root, spot.hops).emits.append(emit)
    return root


own.forgets(plan.cache_clear)
own.forgets(plan_of_texts.cache_clear)
own.forgets(plan_of.cache_clear)


def emits(resource_type: str, parameter: SearchParameter) -> Iterator[tuple[Spot, Emit]]:
    """Each place in the resource that the parameter reads, with what indexes it there."""
    if parameter.type == "composite":
        yield from _composite(resource_type, parameter)
        return
    try:
        paths = expression.read(parameter.expression)
    except NotUnderstood:
        whole = evaluated(parameter.code, parameter.type, parameter.expression)
        yield Spot((), resource_type, ""), whole
        return
    for path in paths:
        if path.root in {resource_type, "", "Resource", "DomainResource"}:
            yield from _along(resource_type, parameter, path)


def _along(
    resource_type: str, parameter: SearchParameter, path: Path
) -> Iterator[tuple[Spot, Emit]]:
    if path.steps and isinstance(path.steps[-1], HoldsUnlessFalse):
        yield _holds(resource_type, parameter.code, path)
        return
    for spot in arrive(resource_type, path):
        if is_kept_elsewhere(resource_type, parameter.code, _code(spot)):
            continue
        emit = emitter(parameter.code, parameter.type, _code(spot), _implied_system(spot))
        if emit is not None:
            yield spot, emit


def arrive(resource_type: str, path: Path, start: Spot | None = None) -> list[Spot]:
    """Follows the path through the definitions; a choice of types fans out."""
    spots = [start or Spot((), resource_type, "")]
    for step in path.steps:
        spots = [arrived for spot in spots for arrived in _follow(spot, step)]
    return spots


def _follow(spot: Spot, step: expression.Step) -> Iterator[Spot]:
    match step:
        case Child(name):
            yield from _children(spot, name)
        case OfType(name):
            if _code(spot) == name:
                yield spot
        case First() if spot.hops:
            *before, last = spot.hops
            if isinstance(last, tuple):
                yield replace(spot, hops=(*before, (last[0], True)))
        case Where() | Resolves():
            yield replace(spot, hops=(*spot.hops, step))


def _children(spot: Spot, name: str) -> Iterator[Spot]:
    element = definitions.element(spot.type, f"{spot.path}.{name}" if spot.path else name)
    if element is None:
        return
    if element.content is not None:
        yield Spot((*spot.hops, (name, False)), spot.type, element.content, element)
    for key, kind in element.json_names().items():
        hops = (*spot.hops, (key, False))
        if kind.code in {"BackboneElement", "Element"}:
            yield Spot(hops, spot.type, element.path, element, kind)
        elif kind.is_primitive or kind.code == "Resource":
            yield Spot(hops, "", "", element, kind)
        else:
            yield Spot(hops, kind.structure, "", element, kind)


def _code(spot: Spot) -> str:
    return spot.kind.code if spot.kind is not None else ""


def _implied_system(spot: Spot) -> str | None:
    """A code is written without system; its value set implies one (R4 §3.1.1.4.10)."""
    if _code(spot) != "code" or spot.element is None or spot.element.value_set is None:
        return None
    systems = definitions.value_set(spot.element.value_set) or {}
    return next(iter(systems)) if len(systems) == 1 else None


def _composite(resource_type: str, parameter: SearchParameter) -> Iterator[tuple[Spot, Emit]]:
    """At the root, since a component may stand outside of the element (``%resource``)."""
    root = Spot((), resource_type, "")
    for path in expression.read(parameter.expression):
        if path.root != resource_type or is_kept_elsewhere(resource_type, parameter.code, ""):
            continue
        for element in arrive(resource_type, path):
            parts = [_component(root, element, one) for one in parameter.components]
            hops = [hop[0] for hop in element.hops if isinstance(hop, tuple)]
            yield element, composite(resource_type, parameter, tuple(hops), parts)


def _component(root: Spot, element: Spot, component: Component) -> tuple[bool, Node]:
    """Whether it is read from the resource itself, and what reads it."""
    from_root = component.expression.startswith("%resource.")
    start = root if from_root else replace(element, hops=())
    node = Node()
    for path in expression.read(component.expression.removeprefix("%resource.")):
        for spot in arrive(root.type, path, start):
            emit = emitter(component.code, component.type, _code(spot), _implied_system(spot))
            if emit is not None:
                _node(node, spot.hops).emits.append(emit)
    return from_root, node


def _holds(resource_type: str, param: str, path: Path) -> tuple[Spot, Emit]:
    keys = [spot.hops[-1] for spot in arrive(resource_type, replace(path, steps=path.steps[:-1]))]
    names = [key[0] for key in keys if isinstance(key, tuple)]

    def emit(resource: object, harvest: Harvest) -> None:
        found = [resource.get(name) for name in names] if isinstance(resource, dict) else []
        holds = any(value is not None and value is not False for value in found)
        harvest.tokens.append(TokenValue(param, None, "true" if holds else "false"))

    return Spot((), resource_type, ""), emit


def _node(root: Node, hops: tuple[Hop, ...]) -> Node:
    node = root
    for hop in hops:
        if isinstance(hop, tuple):
            key, only_first = hop
            node = (node.firsts if only_first else node.keys).setdefault(key, Node())
        else:
            node = node.guarded.setdefault(hop, (_test(hop), Node()))[1]
    return node


def _test(condition: Condition) -> Test:
    if isinstance(condition, Resolves):
        wanted = condition.type
        return lambda value: literals.target_type(value) == wanted
    name, said = condition.name, condition.value
    return lambda value: isinstance(value, dict) and value.get(name) == said
