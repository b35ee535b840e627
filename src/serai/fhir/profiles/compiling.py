"""StructureDefinition to profile: its snapshot becomes a tree (R4 §5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from serai.fhir.profiles.model import Binding, Constraint, Node, Profile, Slicing, Type
from serai.kernel.errors import Unsupported

Data = Mapping[str, Any]
URL_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"


def compiled(definition: Data) -> Profile:
    """Unsupported when there is no snapshot, or it is not the tree that R4 asks for."""
    url = str(definition.get("url"))
    try:
        elements = definition["snapshot"]["element"]
        root = tree(elements, within=definition.get("derivation") != "constraint")
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise Unsupported("profile.cannot-compile", profile=url) from error
    return Profile(url, definition.get("version"), str(definition.get("type")), root)


def tree(elements: Iterable[Data], *, within: bool) -> Node:
    """Children follow their element, so that the last one at each depth is the parent.

    An item `within` an item is like it as far as its type goes; what a profile says of an item
    it does not say of those within (R4 §2.28, ElementDefinition.contentReference).
    """
    above: list[Node] = []
    by_id: dict[str, Node] = {}
    for element in elements:
        depth = element["path"].count(".")
        made = _node(element)
        if depth == 0:
            above = [made]
        else:
            del above[depth:]
            _place(above[depth - 1], made)
            above.append(made)
        by_id[element.get("id") or element["path"]] = made
    for node in by_id.values():
        if node.content and within:
            node.children = by_id[node.content.rpartition("#")[2]].children
    return by_id[min(by_id, key=len)] if not above else above[0]


def _place(parent: Node, made: Node) -> None:
    """Beside its siblings, or under the element (or slice) that it is a slice of."""
    group = parent.children.get(made.name)
    if group is None:
        group, made = _choice(parent, made) or (None, made)
    if group is None:
        parent.children[made.name] = made
        return
    if made.slice_name is None:
        raise ValueError(made.path)
    outer = made.slice_name.rpartition("/")[0]
    while outer and (found := _slice(group, outer)) is None:
        outer = outer.rpartition("/")[0]
    owner = found if outer and found else group
    owner.slices.append(made)


def _slice(group: Node, name: str) -> Node | None:
    for one in group.slices:
        if one.slice_name == name:
            return one
        if (inner := _slice(one, name)) is not None:
            return inner
    return None


def _choice(parent: Node, made: Node) -> tuple[Node, Node] | None:
    """``valueQuantity`` is the slice of ``value[x]`` for that type (R4 §5.1.0.9)."""
    for group in parent.children.values():
        if group.is_choice and made.name.startswith(group.name) and made.name != group.name:
            made.slice_name = made.slice_name or made.name
            made.name = group.name
            made.is_choice = True
            group.slicing = group.slicing or Slicing((("type", "$this"),), "open", ordered=False)
            return group, made
    return None


def _node(element: Data) -> Node:
    name = element["path"].rpartition(".")[2]
    maximum = element.get("max", "*")
    return Node(
        path=element["path"].removesuffix("[x]"),
        name=name.removesuffix("[x]"),
        minimum=element.get("min", 0),
        maximum=None if maximum == "*" else int(maximum),
        types=tuple(_type(one) for one in element.get("type", ())),
        slice_name=element.get("sliceName"),
        fixed=_starting(element, "fixed"),
        pattern=_starting(element, "pattern"),
        longest=element.get("maxLength"),
        lowest=next(iter(_starting(element, "minValue")), None),
        highest=next(iter(_starting(element, "maxValue")), None),
        constraints=tuple(_constraint(one) for one in element.get("constraint", ())),
        binding=_binding(element.get("binding")),
        slicing=_slicing(element.get("slicing")),
        content=element.get("contentReference"),
        is_choice=name.endswith("[x]"),
        partial=bool(element.get("partial")),
    )


def _type(given: Data) -> Type:
    code = given.get("code", "")
    if code.startswith("http://hl7.org/fhirpath/"):
        said = [one for one in given.get("extension", ()) if one.get("url") == URL_TYPE]
        code = next((one["valueUrl"] for one in said if "valueUrl" in one), "string")
    return Type(code, tuple(given.get("profile", ())), tuple(given.get("targetProfile", ())))


def _starting(element: Data, prefix: str) -> tuple[Any, ...]:
    return tuple(value for key, value in element.items() if key.startswith(prefix))


def _constraint(given: Data) -> Constraint:
    return Constraint(
        str(given["key"]),
        given.get("severity", "error"),
        given.get("expression", ""),
        str(given.get("human", "")),
    )


def _binding(given: Data | None) -> Binding | None:
    if not given or not given.get("valueSet"):
        return None
    return Binding(given.get("strength", "example"), given["valueSet"])


def _slicing(given: Data | None) -> Slicing | None:
    if given is None:
        return None
    pairs = tuple((one["type"], one["path"]) for one in given.get("discriminator", ()))
    return Slicing(pairs, given.get("rules", "open"), bool(given.get("ordered")))


def named_in(node: Node) -> set[str]:
    """The profiles that checking it will want to know."""
    found: set[str] = set()
    waiting, seen = [node], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        found.update(url for kind in one.types for url in (*kind.profiles, *kind.targets))
        waiting += [*one.children.values(), *one.slices]
    return found
