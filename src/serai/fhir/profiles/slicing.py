"""Which slice each item of an array belongs to (R4 §5.1.0.9)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from serai.fhir.profiles import discriminators
from serai.fhir.profiles.model import Node, Slicing
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.scene import Known, Scope
from serai.fhir.profiles.values import Item
from serai.fhir.validation.findings import Place

BY_URL = Slicing((("value", "url"),), "open", ordered=False)
BY_TYPE = Slicing((("type", "$this"),), "open", ordered=False)


@dataclass(frozen=True, slots=True)
class Places:
    """The slice of each item, None for none; `doubtful` are those nobody could place."""

    of_items: list[Node | None]
    doubtful: int


def rule(node: Node) -> Slicing:
    """Extensions are sliced by their url and choices by their type, said or not."""
    if node.slicing is not None and node.slicing.discriminators:
        return node.slicing
    rules = node.slicing.rules if node.slicing else "open"
    default = BY_TYPE if node.is_choice else BY_URL if _is_extension(node) else None
    if default is not None:
        return Slicing(default.discriminators, rules, ordered=False)
    return node.slicing or Slicing((), "open", ordered=False)


def _is_extension(node: Node) -> bool:
    return node.name in ("extension", "modifierExtension")


def sorted_into(node: Node, items: list[Item], scope: Scope, known: Known) -> Places:
    how = rule(node)
    of_items: list[Node | None] = []
    doubtful = 0
    for item in items:
        found, doubt = None, False
        for one in node.slices:
            known.step()
            fits = discriminators.fits(one, how, item, scope, known)
            if fits:
                found = one
                break
            doubt = doubt or fits is None
        of_items.append(found)
        doubtful += found is None and doubt
    return Places(of_items, doubtful)


def misfits(
    node: Node, items: list[Item], places: Places, scope: Scope, known: Known, report: Report
) -> None:
    """A required slice that is told by its profile is missing: what keeps an item of its type
    from being it is what the sender wants to know."""
    how = rule(node)
    types = tuple(one for one in how.discriminators if one[0] != "profile")
    if not types or types == how.discriminators:
        return
    by_type = Slicing(types, how.rules, how.ordered)
    for one in node.slices:
        if one.minimum and not any(at is one for at in places.of_items):
            for item, at in zip(items, places.of_items, strict=True):
                if at is None and discriminators.fits(one, by_type, item, scope, known):
                    discriminators.explain(one, how, item, scope, known, report)


def check(node: Node, items: list[Item], places: Places, place: Place, report: Report) -> None:
    """How many each slice has, what may stand outside, and in which order."""
    counts = Counter(map(id, places.of_items))
    for one in node.slices:
        _check_number(one, counts[id(one)], places, place, report)
    how = rule(node)
    if how.rules == "closed":
        for item, at in zip(items, places.of_items, strict=True):
            if at is None:
                severity = "warning" if places.doubtful else "error"
                report.add("structure", "profile.no-slice", item.place, severity)
    positions = {id(one): position for position, one in enumerate(node.slices)}
    order = [positions[id(at)] if at else None for at in places.of_items]
    if how.rules == "openAtEnd":
        _check_end(order, items, report)
    if how.ordered:
        _check_order(order, items, report)


def _check_number(one: Node, count: int, places: Places, place: Place, report: Report) -> None:
    name = one.slice_name
    if count < one.minimum:
        severity = "warning" if count + places.doubtful >= one.minimum else "error"
        report.add("required", "profile.slice-missing", place, severity, slice=name)
    if one.maximum is not None and count > one.maximum:
        report.add("structure", "profile.slice-too-many", place, slice=name, most=one.maximum)


def _check_end(order: list[int | None], items: list[Item], report: Report) -> None:
    last = max((at for at, one in enumerate(order) if one is not None), default=-1)
    for at, one in enumerate(order[:last]):
        if one is None:
            report.add("structure", "profile.not-at-end", items[at].place)


def _check_order(order: list[int | None], items: list[Item], report: Report) -> None:
    highest = -1
    for at, one in enumerate(order):
        if one is not None and one < highest:
            report.add("structure", "profile.order", items[at].place)
        highest = max(highest, one if one is not None else -1)
