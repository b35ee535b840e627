"""Whether an item has what marks a slice: discriminators by value, pattern, existence, type and
profile (R4 §5.1.0.9, ElementDefinition.slicing.discriminator)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from serai.fhir.profiles import bindings, references, walk
from serai.fhir.profiles.model import Node, Slicing, core_type
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.scene import Known, Scope
from serai.fhir.profiles.values import Item, children, data_types, has_pattern, is_equal
from serai.fhir.validation.findings import below

STEP = re.compile(r"(\$this)|(?:extension\('([^']+)'\))|(resolve\(\))|ofType\((\w+)\)|(\w+)")


@dataclass(frozen=True, slots=True)
class Spot:
    """A value that a discriminator leads to, and what the slice says of it there. `resolved`
    is the target of a reference; `lost` means that it is not at hand."""

    item: Item
    resolved: Scope | None = None
    lost: bool = False


def fits(node: Node, how: Slicing, item: Item, scope: Scope, known: Known) -> bool | None:
    """None when that cannot be told. Without discriminators everything the slice says counts."""
    if not how.discriminators:
        return _is_like(node, item, known)
    # What the slice leaves open does not mark it.
    marks = [one for one in how.discriminators if _tells(*one, node, known)]
    doubt = not marks
    for kind, path in marks:
        answer = _fits_one(kind, path, node, item, scope, known)
        if answer is False:
            return False
        doubt = doubt or answer is None
    return None if doubt else True


def _tells(kind: str, path: str, node: Node, known: Known) -> bool:
    """Not by its value where the slice says nothing of that, in words or by its profiles."""
    if kind not in ("value", "pattern") or path == "url":
        return True
    if any(one.profiles or one.targets for one in node.types):
        return True
    said = _said(path, node, known)
    return any(_fixes(one) or (one.binding and one.binding.strength == "required") for one in said)


def _fits_one(
    kind: str, path: str, node: Node, item: Item, scope: Scope, known: Known
) -> bool | None:
    spots, said = _led(path, item, scope, known), _said(path, node, known)
    if not said:
        return _by_url_of_profile(node, item) if path == "url" else None
    if kind == "exists":
        return None if any(one.lost for one in spots) else _exists(said[0], spots)
    if kind in ("type", "profile"):
        return _any([_matches(kind, said[0], spot, known, scope) for spot in spots])
    # What a pattern or a required slice further down says must all be found.
    return _all([
        _any([_matches(kind, one, spot, known, scope) for spot in spots])
        for one in [one for one in said if _fixes(one)] or said[:1]
    ])  # fmt: skip


def _led(path: str, item: Item, scope: Scope, known: Known) -> list[Spot]:
    """Where in the item the discriminator leads."""
    spots = [Spot(item)]
    for step in _steps(path):
        spots = [one for spot in spots for one in _follow(step, spot, scope, known)]
    return spots


def _said(path: str, node: Node, known: Known) -> list[Node]:
    """What the slice says there; the same for every item."""
    said = known.said.get((id(node), path))
    if said is None:
        said = [node]
        for step in _steps(path):
            said = [inner for one in said for inner in _nodes_below(step, one, known)]
        known.said[id(node), path] = said
    return said


@lru_cache(maxsize=1024)
def _steps(path: str) -> list[tuple[str, ...]]:
    return STEP.findall(path)


def _exists(said: Node, spots: list[Spot]) -> bool | None:
    if said.minimum > 0:
        return bool(spots)
    return not spots if said.maximum == 0 else None


def _all(answers: list[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True


def _any(answers: list[bool | None]) -> bool | None:
    if True in answers:
        return True
    return None if None in answers else False


def _matches(kind: str, said: Node, spot: Spot, known: Known, scope: Scope) -> bool | None:
    if kind == "type":
        return _has_type(said, spot, known)
    if kind == "profile":
        return _has_profile(said, spot, known, scope)
    return None if spot.lost else _is_like(said, spot.item, known)


def _has_type(said: Node, spot: Spot, known: Known) -> bool | None:
    if spot.resolved is None and not spot.lost:
        codes = {one.code for one in said.types}
        return spot.item.type in codes or not codes.isdisjoint({"Resource", "DomainResource"})
    scope = spot.resolved
    kind = str(scope.resource.get("resourceType")) if scope else spot.item.type
    allowed = references.types_allowed(_targets(said), known)
    if not kind:
        return None
    return allowed is None or kind in allowed


def _targets(said: Node) -> tuple[str, ...]:
    return tuple(url for one in said.types for url in one.targets)


def _has_profile(said: Node, spot: Spot, known: Known, scope: Scope) -> bool | None:
    if spot.lost:
        is_type = _has_type(said, spot, known)
        return False if is_type is False else None
    if spot.resolved is not None:
        return walk.conforms(_targets(said), spot.resolved, known)
    urls = tuple(url for one in said.types for url in one.profiles)
    if isinstance(spot.item.value, dict) and "resourceType" in spot.item.value:
        value = spot.item.value
        target = Scope(value, spot.item.place, value, scope.full_url)
        return walk.conforms(urls, target, known) if urls else None
    reports = [
        None if core_type(url) else walk.report_on(url, spot.item, scope, known) for url in urls
    ]
    return _any([None if one is None else not one.fails for one in reports])


def _is_like(said: Node, item: Item, known: Known) -> bool | None:
    """Whether the value is what the slice fixes, there or further down."""
    if said.fixed:
        return is_equal(item.value, said.fixed[0])
    if said.pattern:
        return has_pattern(item.value, said.pattern[0])
    deeper = _children_alike(said, item, known)
    if deeper is not None:
        return deeper
    if said.binding is not None and said.binding.strength == "required":
        return bindings.is_member(item.value, said.binding.value_set, known)
    return None


def _children_alike(said: Node, item: Item, known: Known) -> bool | None:
    """None when nothing further down is fixed."""
    told = False
    for child in said.children.values():
        for one in (child, *child.slices):
            if not _fixes(one):
                continue
            told = True
            found = children(item.value, one, item.place)
            if one.minimum == 0 and not found:
                continue
            if not any(_is_like(one, value, known) for value in found):
                return False
    return True if told else None


def _fixes(node: Node) -> bool:
    if node.fixed or node.pattern:
        return True
    return any(_fixes(one) for child in node.children.values() for one in (child, *child.slices))


def explain(
    node: Node, how: Slicing, item: Item, scope: Scope, known: Known, report: Report
) -> None:
    """What the profile that marks the slice says of the resource in its place."""
    for kind, path in how.discriminators:
        if kind != "profile":
            continue
        spots = _led(path, item, scope, known)
        types = [kind for one in _said(path, node, known)[:1] for kind in one.types]
        urls = [url for kind in types for url in kind.profiles if core_type(url) is None]
        made = [walk.report_on(url, spot.item, scope, known) for url in urls for spot in spots]
        for issue in (issue for one in made if one is not None for issue in one.issues):
            report.take(issue)


def _follow(step: tuple[str, ...], spot: Spot, scope: Scope, known: Known) -> list[Spot]:
    known.step()
    this, extension, resolve, of_type, name = step
    if this:
        return [spot]
    if resolve:
        return [_resolved(spot, scope, known)]
    if of_type:
        return [spot] if spot.item.type == of_type else []
    item = spot.item
    if spot.lost:
        return [Spot(Item(None, "", item.place), lost=True)]
    if spot.resolved is not None:
        found = spot.resolved
        item = Item(found.resource, str(found.resource.get("resourceType")), found.place)
    wanted = "extension" if extension else name
    node = Node(wanted, wanted, 0, None, is_choice=_is_choice(item.value, wanted))
    return [
        Spot(one)
        for one in children(item.value, node, item.place)
        if not extension or (isinstance(one.value, dict) and one.value.get("url") == extension)
    ]


def _is_choice(value: Any, name: str) -> bool:
    return (
        isinstance(value, dict)
        and name not in value
        and any(key[len(name) :] in data_types() for key in value if key.startswith(name))
    )


def _resolved(spot: Spot, scope: Scope, known: Known) -> Spot:
    reference = references.literal(spot.item.value)
    target = known.target(reference, scope) if reference is not None else None
    if target is not None:
        return Spot(spot.item, target)
    kind = references.type_of(spot.item.value, scope, known) or ""
    return Spot(Item(spot.item.value, kind, below(spot.item.place, "reference")), lost=True)


def _nodes_below(step: tuple[str, ...], said: Node, known: Known) -> list[Node]:
    """What the slice, its pattern, or the profile of its type says one step further down; and
    what the slices say that must be there."""
    this, extension, resolve, of_type, name = step
    if this or resolve or of_type:
        return [said]
    found = _child(said, "extension" if extension else name, known)
    if found is None:
        return [] if extension else _in_pattern(said, name)
    if not extension:
        return [found, *(one for one in found.slices if one.minimum and not found.is_choice)]
    for one in found.slices:
        urls = [url.partition("|")[0] for kind in one.types for url in kind.profiles]
        if extension in urls or one.slice_name == extension:
            return [one]
    return []


def _in_pattern(said: Node, name: str) -> list[Node]:
    """``code.coding.code`` where the slice gives a pattern for ``code``."""
    for values in (said.fixed, said.pattern):
        whole = values[0] if values else None
        if isinstance(whole, dict) and name in whole:
            inner = whole[name] if isinstance(whole[name], list) else [whole[name]]
            made = [Node(said.path, name, 1, None) for _ in inner]
            for node, one in zip(made, inner, strict=True):
                node.fixed, node.pattern = ((one,), ()) if said.fixed else ((), (one,))
            return made
    return []


def _child(said: Node, name: str, known: Known) -> Node | None:
    if name in said.children:
        return said.children[name]
    for url in (url for one in said.types for url in (*one.profiles, *one.targets)):
        profile = known.profile(url) if core_type(url) is None else None
        if profile is not None and name in profile.root.children:
            return profile.root.children[name]
    return None


def _by_url_of_profile(node: Node, item: Item) -> bool | None:
    """An extension whose definition is not at hand is still known by its URL."""
    urls = [url.partition("|")[0] for one in node.types for url in one.profiles]
    said = item.value.get("url") if isinstance(item.value, dict) else None
    return said in urls if urls else None
