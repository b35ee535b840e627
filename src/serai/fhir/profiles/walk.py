"""One instance held against one profile, element by element (R4 §5.1)."""

from __future__ import annotations

from serai.fhir.profiles import bindings, constraints, references, slicing
from serai.fhir.profiles.model import Node, Profile, core_type
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.scene import Known, Scope
from serai.fhir.profiles.values import Item, children, has_pattern, is_equal, is_less
from serai.fhir.validation.findings import Place, below

ANY_OBJECT = frozenset({"BackboneElement", "Element", "Resource", "DomainResource", ""})


def judge(profile: Profile, scope: Scope, known: Known) -> Report | None:
    """The report on a whole resource, made once; None while it is being made, which happens
    when resources refer to each other in a circle."""
    key = (id(scope.resource), profile.url)
    if key not in known.judged:
        known.judged[key] = None
        report = Report()
        kind = scope.resource.get("resourceType")
        if kind != profile.type and profile.type not in ANY_OBJECT:
            report.add("structure", "profile.other-type", scope.place, profile=profile.url)
        else:
            check_value(profile.root, Item(scope.resource, str(kind), scope.place), scope, known,
                        report)  # fmt: skip
        known.judged[key] = report
    return known.judged[key]


def check_value(node: Node, item: Item, scope: Scope, known: Known, report: Report) -> None:
    """A value that is known to belong to the element."""
    known.step()
    _check_content(node, item, report)
    if node.types and item.value is not None:
        _check_type(node, item, scope, known, report)
    if node.binding is not None:
        bindings.check(node.binding, item, known, report)
    if node.constraints:
        known.step(constraints.WEIGHT * len(node.constraints))
        constraints.check(node, item, scope.resource, scope.container, report)
    inner = _scope_inside(item, scope)
    for child in node.children.values():
        _check_group(child, children(_object(item), child, item.place), item, inner, known, report)


def _object(item: Item) -> object:
    return item.twin if item.value is None or not isinstance(item.value, dict) else item.value


def _scope_inside(item: Item, scope: Scope) -> Scope:
    """A resource within a resource is its own ``%resource``."""
    value = item.value
    if not isinstance(value, dict) or "resourceType" not in value or value is scope.resource:
        return scope
    above = item.place[0]
    is_contained = item.place[1] == "contained" and above == scope.place
    return Scope(value, item.place, scope.container if is_contained else value, scope.full_url)


def _check_content(node: Node, item: Item, report: Report) -> None:
    if node.fixed and not is_equal(item.value, node.fixed[0]):
        report.add("value", "profile.fixed", item.place)
    if node.pattern and not has_pattern(item.value, node.pattern[0]):
        report.add("value", "profile.pattern", item.place)
    if node.longest is not None and isinstance(item.value, str) and len(item.value) > node.longest:
        report.add("too-long", "profile.too-long", item.place, most=node.longest)
    if node.lowest is not None and is_less(item.value, node.lowest):
        report.add("value", "profile.too-low", item.place)
    if node.highest is not None and is_less(node.highest, item.value):
        report.add("value", "profile.too-high", item.place)


def _check_type(node: Node, item: Item, scope: Scope, known: Known, report: Report) -> None:
    fitting = [one for one in node.types if one.code == item.type or one.code in ANY_OBJECT]
    if not fitting:
        if node.is_choice or isinstance(item.value, dict):
            allowed = ", ".join(one.code for one in node.types)
            report.add("structure", "profile.type", item.place, allowed=allowed)
        return
    profiles = [url for one in fitting for url in one.profiles]
    if profiles:
        _check_profiles(profiles, item, scope, known, report)
    targets = [url for one in fitting for url in one.targets]
    if targets and item.type == "Reference":
        references.check(targets, item, scope, known, report)


def _check_profiles(
    urls: list[str], item: Item, scope: Scope, known: Known, report: Report
) -> None:
    """One of them must hold (ElementDefinition.type.profile)."""
    if any(core_type(url) is not None for url in urls):
        return
    if len(urls) == 1:
        made = report_on(urls[0], item, scope, known)
        for issue in made.issues if made else ():
            report.take(issue)
        if known.profile(urls[0]) is None:
            report.add(
                "informational", "profile.unknown", item.place, "information", profile=urls[0]
            )
        return
    made_all = [report_on(url, item, scope, known) for url in urls]
    if all(one is not None and one.fails for one in made_all):
        report.add("structure", "profile.none-fits", item.place, profiles=", ".join(urls))


def report_on(url: str, item: Item, scope: Scope, known: Known) -> Report | None:
    """What a profile says of a value or resource; None when that cannot be told."""
    profile = known.profile(url)
    if profile is None:
        return None
    value = item.value
    if isinstance(value, dict) and "resourceType" in value:
        return judge(profile, _scope_inside(item, scope), known)
    report = Report()
    check_value(profile.root, item, scope, known, report)
    return report


def conforms(urls: tuple[str, ...], target: Scope, known: Known) -> bool | None:
    """Whether a resource fits one of the profiles; None when that cannot be told."""
    kind = target.resource.get("resourceType")
    doubt = False
    for url in urls:
        core = core_type(url)
        if core is not None:
            if core == kind or core in ANY_OBJECT:
                return True
            continue
        profile = known.profile(url)
        report = judge(profile, target, known) if profile is not None else None
        if report is None:
            doubt = True
        elif not report.fails:
            return True
    return None if doubt else False


def _check_group(
    node: Node, items: list[Item], owner: Item, scope: Scope, known: Known, report: Report
) -> None:
    check_number(node, len(items), below(owner.place, node.name), report)
    if not node.slices:
        for item in items:
            check_value(node, item, scope, known, report)
        return
    places = slicing.sorted_into(node, items, scope, known)
    for item, place in zip(items, places.of_items, strict=True):
        if place is None or place.partial or not place.children:
            check_value(node, item, scope, known, report)
        if place is not None:
            check_value(place, item, scope, known, report)
    slicing.check(node, items, places, below(owner.place, node.name), report)
    slicing.misfits(node, items, places, scope, known, report)
    for one in node.slices:
        if one.slices:
            _check_slices_of(one, items, places, owner, scope, known, report)


def _check_slices_of(
    node: Node, items: list[Item], places: slicing.Places, owner: Item, scope: Scope,
    known: Known, report: Report,
) -> None:  # fmt: skip
    """Re-slicing: the members of a slice, sorted once more."""
    own = [item for item, at in zip(items, places.of_items, strict=True) if at is node]
    inner = slicing.sorted_into(node, own, scope, known)
    for item, place in zip(own, inner.of_items, strict=True):
        if place is not None:
            check_value(place, item, scope, known, report)
    slicing.check(node, own, inner, below(owner.place, node.name), report)
    for one in node.slices:
        if one.slices:
            _check_slices_of(one, own, inner, owner, scope, known, report)


def check_number(node: Node, count: int, place: Place, report: Report) -> None:
    if count < node.minimum:
        report.add("required", "profile.too-few", place, least=node.minimum)
    if node.maximum is not None and count > node.maximum:
        if node.maximum == 0:
            report.add("structure", "profile.not-allowed", place)
        else:
            report.add("structure", "profile.too-many", place, most=node.maximum)
