"""One search parameter with its value to one condition, by the parameter's type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from serai.fhir.definitions import RESOURCE_TYPES, SearchParameter
from serai.fhir.search.dates import parse_date
from serai.fhir.search.keys import key
from serai.fhir.search.query import Condition, Dates, Ids, Keys, Missing, Strings, Updated
from serai.kernel.errors import Malformed

_LOGICAL_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class NotHonoured(Malformed):
    """A parameter or modifier this server does not offer; lenient clients may go on without."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One parameter as it was asked for."""

    type: str
    parameter: SearchParameter
    modifier: str
    value: str
    now: datetime
    base: str

    @property
    def code(self) -> str:
        return self.parameter.code

    @property
    def name(self) -> str:
        return f"{self.code}:{self.modifier}" if self.modifier else self.code

    def alternatives(self) -> list[str]:
        """The values between unescaped commas, escapes kept."""
        return list(split(self.value, ","))


def build(asked: Asked) -> Condition:
    """The condition for any honoured parameter."""
    if asked.code == "_id":
        return _ids(asked)
    if asked.code == "_lastUpdated":
        return _updated(asked)
    if asked.modifier == "missing":
        return _missing(asked)
    return _BY_TYPE[asked.parameter.type](asked)


def split(text: str, separator: str) -> Iterator[str]:
    """Parts between separators that no backslash escapes (R4 §3.1.1.4.0.1)."""
    part: list[str] = []
    characters = iter(text)
    for character in characters:
        if character == separator:
            yield "".join(part)
            part.clear()
            continue
        part.append(character)
        if character == "\\":
            part.append(next(characters, ""))
    yield "".join(part)


def unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


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
    kind = asked.parameter.type if asked.parameter.type in ("string", "date") else "key"
    return Missing(asked.code, kind, asked.value == "true")


def _token(asked: Asked) -> Condition:
    _only(asked, "", "not")
    keys = tuple(_token_key(asked, value) for value in asked.alternatives())
    negated = asked.modifier == "not"
    return Keys(keys, negated, narrow=asked.code == "identifier" and not negated)


def _token_key(asked: Asked, value: str) -> int:
    # What a Reference's identifier is found by is indexed as the parameter `code:identifier`.
    param = asked.name if asked.modifier == "identifier" else asked.code
    match [unescape(part) for part in split(value, "|")]:
        case [code] if code:
            return key("code", asked.type, param, code)
        case ["", code] if code:
            return key("bare", asked.type, param, code)
        case [system, ""] if system:
            return key("system", asked.type, param, system)
        case [system, code] if code:
            return key("both", asked.type, param, system, code)
        case _:
            raise Malformed("search.token", parameter=asked.name)


def _reference(asked: Asked) -> Condition:
    if asked.modifier == "identifier":
        found = (_token_key(asked, value) for value in asked.alternatives())
        return Keys(tuple(found), narrow=True)
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
    _only(asked, "")
    values = asked.alternatives()
    return Keys(tuple(key("uri", asked.type, asked.code, unescape(value)) for value in values))


def _string(asked: Asked) -> Condition:
    _only(asked, "", "exact", "contains")
    values = tuple(unescape(value) for value in asked.alternatives())
    if not all(values):
        raise Malformed("search.empty", parameter=asked.name)
    return Strings(asked.code, asked.modifier or "prefix", values)


def _date(asked: Asked) -> Condition:
    _only(asked, "")
    values = asked.alternatives()
    return Dates(
        asked.code, tuple(parse_date(asked.name, value, now=asked.now) for value in values)
    )


def _only(asked: Asked, *modifiers: str) -> None:
    if asked.modifier not in modifiers:
        raise NotHonoured("search.modifier", parameter=asked.name)


_BY_TYPE: dict[str, Callable[[Asked], Condition]] = {
    "token": _token,
    "reference": _reference,
    "uri": _uri,
    "string": _string,
    "date": _date,
}
