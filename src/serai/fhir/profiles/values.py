"""What an instance holds at an element, and whether it is what a profile fixes it to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from math import isfinite
from typing import Any, NamedTuple

from serai.fhir.definitions import COMPLEX_TYPES
from serai.fhir.profiles.model import Node
from serai.fhir.search.units import UCUM, canonical
from serai.fhir.validation.findings import Place, below
from serai.fhir.validation.primitives import TESTS


class Item(NamedTuple):
    """`twin` is what stands beside a primitive under ``_name`` (R4 §2.6.2.3)."""

    value: Any
    type: str
    place: Place
    twin: Any = None


@cache
def data_types() -> Mapping[str, str]:
    """``Quantity`` → Quantity, ``DateTime`` → dateTime: as a choice spells them."""
    return {one[0].upper() + one[1:]: one for one in (*COMPLEX_TYPES, *TESTS)}


def children(owner: Any, node: Node, place: Place) -> list[Item]:
    """The values of the element below an object."""
    if not isinstance(owner, dict):
        return []
    if not node.is_choice:
        code = node.types[0].code if node.types else ""
        return _items(owner, node.name, node.name, code, place)
    found: list[Item] = []
    names = {key.removeprefix("_") for key in owner if isinstance(key, str)}
    for name in sorted(names):
        kind = data_types().get(name[len(node.name) :]) if name.startswith(node.name) else None
        if kind is not None:
            found += _items(owner, name, f"{node.name}.ofType({kind})", kind, place)
    return found


def _items(owner: dict[str, Any], name: str, label: str, code: str, place: Place) -> list[Item]:
    value, twin = owner.get(name), owner.get(f"_{name}")
    if value is None and twin is None:
        return []
    if not isinstance(value, list) and not isinstance(twin, list):
        return [Item(value, _type_of(value, code), below(place, label), twin)]
    values, twins = _listed(value), _listed(twin)
    return [
        Item(one, _type_of(one, code), below(place, label, index), beside)
        for index in range(max(len(values), len(twins)))
        for one, beside in [(_at(values, index), _at(twins, index))]
        if one is not None or beside is not None
    ]


def _type_of(value: Any, code: str) -> str:
    kind = value.get("resourceType") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else code


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def is_equal(value: Any, fixed: Any) -> bool:
    """fixed[x]: exactly this, nothing more (R4 §2.28)."""
    if isinstance(fixed, dict) and isinstance(value, dict):
        return fixed.keys() == value.keys() and all(is_equal(value[k], fixed[k]) for k in fixed)
    if isinstance(fixed, list) and isinstance(value, list):
        pairs = zip(value, fixed, strict=False)
        return len(value) == len(fixed) and all(is_equal(one, other) for one, other in pairs)
    return same(value, fixed)


def has_pattern(value: Any, pattern: Any) -> bool:
    """pattern[x]: at least this, each item of an array somewhere in the array."""
    if isinstance(pattern, dict):
        if not isinstance(value, dict):
            return False
        return all(key in value and has_pattern(value[key], pattern[key]) for key in pattern)
    if isinstance(pattern, list):
        if not isinstance(value, list):
            return False
        return all(any(has_pattern(one, wanted) for one in value) for wanted in pattern)
    return same(value, pattern)


def is_less(value: Any, other: Any) -> bool:
    """Numbers, dates of the same form, and quantities of comparable units; what cannot be
    compared is not less."""
    if isinstance(value, dict) and isinstance(other, dict):
        one, two = _amount(value, other), _amount(other, value)
        return one is not None and two is not None and one < two
    if isinstance(value, str) and isinstance(other, str):
        return len(value) == len(other) and value < other
    return _is_number(value) and _is_number(other) and Decimal(str(value)) < Decimal(str(other))


def _is_number(value: Any) -> bool:
    finite = not isinstance(value, float | Decimal) or isfinite(value)
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and finite


def _amount(quantity: dict[str, Any], beside: dict[str, Any]) -> Decimal | None:
    """In the unit that both have, else in UCUM's base units."""
    if not _is_number(quantity.get("value")):
        return None
    value = Decimal(str(quantity["value"]))
    if all(quantity.get(name) == beside.get(name) for name in ("system", "code")):
        return value
    units = [canonical(str(one.get("code"))) for one in (quantity, beside)]
    mine, theirs = units if quantity.get("system") == beside.get("system") == UCUM else (None, None)
    if mine is None or theirs is None or mine.dimension != theirs.dimension:
        return None
    return mine.of(value)


def same(value: Any, other: Any) -> bool:
    """As JSON tells values apart: true is not 1, and 1.0 is a number like 1."""
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    if isinstance(value, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return Decimal(str(value)) == Decimal(str(other))
    return type(value) is type(other) and bool(value == other)
