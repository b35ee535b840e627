"""One search parameter with its value to one condition, by the parameter's type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.search import texts
from serai.fhir.search.asking import Asked, NotHonoured, parts, split, unescape
from serai.fhir.search.dates import parse_date
from serai.fhir.search.extract import has_texts
from serai.fhir.search.keys import key, paths_above
from serai.fhir.search.near import parse_place
from serai.fhir.search.numbers import parse_number
from serai.fhir.search.quantities import QuantityRange, parse_quantity
from serai.fhir.search.query import (
    Coded,
    Condition,
    Dates,
    Ids,
    Keys,
    Missing,
    Near,
    Quantities,
    Strings,
    Updated,
)
from serai.fhir.search.stored_under import stored_under
from serai.fhir.search.together import together
from serai.fhir.search.tokens import token_key
from serai.kernel.errors import Malformed

__all__ = ["Asked", "NotHonoured", "build"]

# Each of these becomes a test of its own; equality values are one probe of an index each.
MOST_ORDERED = 1000
_KEYED = frozenset({"token", "reference", "uri"})

_LOGICAL_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def build(asked: Asked) -> Condition:
    """The condition for any honoured parameter."""
    ordered = asked.parameter.type not in _KEYED
    if ordered and len(asked.alternatives()) > MOST_ORDERED:
        raise Malformed("search.too-many-values", parameter=asked.name, most=MOST_ORDERED)
    if asked.code == "_id":
        return _ids(asked)
    if asked.code == "_lastUpdated":
        return _updated(asked)
    if asked.code in texts.COLUMNS:
        return texts.words(asked)
    if asked.modifier == "missing":
        return _missing(asked)
    return _BY_TYPE[asked.parameter.type](asked)


def _ids(asked: Asked) -> Condition:
    _only(asked, "")
    return Ids(tuple(unescape(value) for value in asked.alternatives()))


def _updated(asked: Asked) -> Condition:
    _only(asked, "")
    values = asked.alternatives()
    return Updated(tuple(parse_date(asked.code, value, now=asked.now) for value in values))


def _missing(asked: Asked) -> Condition:
    if asked.value not in ("true", "false"):
        raise Malformed("search.missing", parameter=asked.name)
    parameter = asked.parameter
    kind = parameter.components[1].type if parameter.type == "composite" else parameter.type
    kind = _TABLES.get(kind, "key")
    return Missing(asked.code, kind, asked.value == "true")


def _token(asked: Asked) -> Condition:
    if asked.modifier in ("in", "not-in", "above", "below"):
        relation = asked.modifier.removeprefix("not-")
        negated = asked.modifier == "not-in"
        return Coded(asked.type, asked.code, relation, unescape(asked.value), negated)
    if asked.modifier == "of-type" and "identifier" in asked.parameter.expression.lower():
        return Keys(tuple(_of_type(asked, one) for one in asked.alternatives()), narrow=True)
    if asked.modifier == "text" and has_texts(asked.type, asked.code):
        return Strings(asked.code, "prefix", _words(asked), "token_text")
    _only(asked, "", "not")
    keys = _token_keys(asked, asked.code)
    negated = asked.modifier == "not"
    return Keys(keys, negated, narrow=asked.code == "identifier" and not negated)


def _of_type(asked: Asked, value: str) -> int:
    """``system|code|value`` of an Identifier and its type (R4 §3.1.1.4.10)."""
    match [unescape(part) for part in split(value, "|")]:
        case [system, code, number] if system and code and number:
            return key("both", asked.type, asked.name, system, f"{code}|{number}")
        case _:
            raise Malformed("search.of-type", parameter=asked.name)


def _token_keys(asked: Asked, param: str) -> tuple[int, ...]:
    values = asked.alternatives()
    return tuple(token_key(asked.type, param, asked.name, value) for value in values)


def _reference(asked: Asked) -> Condition:
    if asked.modifier == "identifier":
        # What a Reference's identifier is found by is indexed as `code:identifier`.
        return Keys(_token_keys(asked, asked.name), narrow=True)
    if asked.modifier and asked.modifier not in RESOURCE_TYPES:
        raise NotHonoured("search.modifier", parameter=asked.name)
    keys = (found for value in asked.alternatives() for found in _reference_keys(asked, value))
    return Keys(tuple(keys), narrow=True)


def _reference_keys(asked: Asked, value: str) -> Iterator[int]:
    """Bare id, Type/id, or an absolute URL, which may be one of our own."""
    text = unescape(value)
    local = text.removeprefix(asked.base + "/") if asked.base else text
    target, _, id = local.rpartition("/")
    if _LOGICAL_ID.fullmatch(text) and not target:
        if asked.modifier:
            yield key("ref", asked.type, asked.code, f"{asked.modifier}/{text}")
        else:
            yield key("refid", asked.type, asked.code, text)
    elif target in RESOURCE_TYPES and _LOGICAL_ID.fullmatch(id):
        if asked.modifier not in ("", target):
            raise Malformed("search.reference", parameter=asked.name)
        yield key("ref", asked.type, asked.code, local)
    elif ":" not in text:
        raise Malformed("search.reference", parameter=asked.name)
    if ":" in text:
        yield key("uri", asked.type, asked.code, text)


def _uri(asked: Asked) -> Condition:
    _only(asked, "", "above", "below")
    values = [unescape(value) for value in asked.alternatives()]
    if asked.modifier == "above":
        values = [one for value in values for one in (value, *paths_above(value))]
    kind = "below" if asked.modifier == "below" else "uri"
    values = [value.rstrip("/") if asked.modifier == "below" else value for value in values]
    return Keys(tuple(key(kind, asked.type, asked.code, value) for value in values))


def _number(asked: Asked) -> Condition:
    _only(asked, "")
    values = (unescape(value) for value in asked.alternatives())
    ranges = (QuantityRange(parse_number(asked.name, value)) for value in values)
    return Quantities((asked.code,), tuple(ranges))


def _quantity(asked: Asked) -> Condition:
    _only(asked, "")
    ranges = (parse_quantity(asked.name, parts(value)) for value in asked.alternatives())
    return Quantities(stored_under(asked.type, asked.code), tuple(ranges))


def _composite(asked: Asked) -> Condition:
    _only(asked, "")
    return together(asked)


def _near(asked: Asked) -> Condition:
    _only(asked, "")
    values = asked.alternatives()
    return Near(asked.code, tuple(parse_place(asked.name, parts(value)) for value in values))


def _string(asked: Asked) -> Condition:
    _only(asked, "", "exact", "contains")
    return Strings(asked.code, asked.modifier or "prefix", _words(asked))


def _words(asked: Asked) -> tuple[str, ...]:
    values = tuple(unescape(value) for value in asked.alternatives())
    if not all(values):
        raise Malformed("search.empty", parameter=asked.name)
    return values


def _date(asked: Asked) -> Condition:
    _only(asked, "")
    values = asked.alternatives()
    return Dates(
        asked.code, tuple(parse_date(asked.name, value, now=asked.now) for value in values)
    )


def _only(asked: Asked, *modifiers: str) -> None:
    if asked.modifier not in modifiers:
        raise NotHonoured("search.modifier", parameter=asked.name)


# Where values lie that no key stands for.
_TABLES = {
    "string": "string",
    "date": "date",
    "number": "quantity",
    "quantity": "quantity",
    "special": "position",
}

_BY_TYPE: dict[str, Callable[[Asked], Condition]] = {
    "token": _token,
    "reference": _reference,
    "uri": _uri,
    "string": _string,
    "date": _date,
    "number": _number,
    "quantity": _quantity,
    "composite": _composite,
    "special": _near,
}
