"""Composite search values: ``8480-6$gt140`` (R4 §3.1.1.4.16)."""

from __future__ import annotations

from serai.fhir.definitions import Component
from serai.fhir.search.asking import Asked, parts, split, unescape
from serai.fhir.search.dates import parse_date
from serai.fhir.search.keys import key
from serai.fhir.search.numbers import parse_number
from serai.fhir.search.quantities import parse_quantity
from serai.fhir.search.query import Beside, Condition, Keys, Together
from serai.fhir.search.stored_under import stored_under
from serai.fhir.search.tokens import token_key
from serai.kernel.errors import Malformed

_TABLES = {"quantity": "quantity", "number": "quantity", "date": "date", "string": "string"}


def together(asked: Asked) -> Condition:
    """Keys for two equality values; else the first as a key and the others beside it."""
    components = asked.parameter.components
    alternatives = [_parts(asked, value) for value in asked.alternatives()]
    second = components[1].type
    if second == "token":
        return Keys(tuple(_pair(asked, one) for one in alternatives))
    return Together(
        params=stored_under(asked.type, asked.code),
        kind=_TABLES[second],
        alternatives=tuple(
            (_held(asked, components[0], first, "$"), _beside(asked, others))
            for first, *others in alternatives
        ),
        anyway=tuple(
            _held(asked, components[0], first, components[0].code) for first, *_ in alternatives
        ),
    )


def _parts(asked: Asked, value: str) -> list[str]:
    found = list(split(value, "$"))
    if len(found) != len(asked.parameter.components) or not all(found):
        raise Malformed("search.composite", parameter=asked.name)
    return found


def _pair(asked: Asked, values: list[str]) -> int:
    first, second = (
        _held(asked, component, value, "$")
        for component, value in zip(asked.parameter.components, values, strict=True)
    )
    return key("pair", asked.type, asked.code, str(first), str(second))


def _held(asked: Asked, component: Component, value: str, param: str) -> int:
    if component.type == "token":
        return token_key(asked.type, param, asked.name, value)
    text = unescape(value)
    local = text.removeprefix(asked.base + "/") if asked.base else text
    if "/" not in local:
        return key("refid", asked.type, param, local)
    return key("uri" if ":" in local else "ref", asked.type, param, local)


def _beside(asked: Asked, values: list[str]) -> Beside:
    value = values[0]
    match asked.parameter.components[1].type:
        case "number":
            first, second = (parse_number(asked.name, unescape(one)) for one in values)
            return first, second
        case "quantity":
            return parse_quantity(asked.name, parts(value))
        case "date":
            return parse_date(asked.name, unescape(value), now=asked.now)
        case _:
            return unescape(value)
