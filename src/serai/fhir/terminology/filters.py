"""One compose filter (R4 §4.10.5.2) as an SQL condition on terminology_concept `c`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from serai.fhir.body import Data
from serai.kernel.errors import Invalid, TooLarge

# Gives a value its place in the statement.
Put = Callable[[Any], str]

LONGEST_REGEX = 200
MOST_LISTED = 5_000
# PostgreSQL matches without backtracking unless one of these asks for it.
_BACKTRACKS = re.compile(r"\\[1-9]|\(\?[=!<]")
_ITSELF = ("concept", "code")

_OF = "SELECT {wanted} FROM terminology_concept WHERE system = {system} AND code = {code}"


def condition(one: Data, system: int, put: Put) -> str:
    """Invalid for what cannot be evaluated: never silently the whole system."""
    operator = OPERATORS.get(one.get("op", ""))
    if operator is None:
        raise Invalid("terminology.filter", property=_named(one), op=str(one.get("op"))[:20])
    return operator(one["property"], str(one.get("value", "")), put(system), put)


def is_regex(rules: Data) -> bool:
    return any(
        one.get("op") == "regex"
        for rule in [*rules["include"], *rules["exclude"]]
        for one in rule.get("filter", [])
    )


def _named(one: Data) -> str:
    return str(one.get("property"))[:64]


def _hierarchy(property: str, operator: str) -> None:
    if property not in (*_ITSELF, "parent"):
        raise Invalid("terminology.filter", property=property[:64], op=operator)


def _descendent_of(property: str, value: str, system: str, put: Put) -> str:
    _hierarchy(property, "descendent-of")
    found = _OF.format(wanted="id", system=system, code=put(value))
    return f"c.ancestors @> ARRAY[({found})]"


def _is_a(property: str, value: str, system: str, put: Put) -> str:
    _hierarchy(property, "is-a")
    return f"(c.code = {put(value)} OR {_descendent_of(property, value, system, put)})"


def _is_not_a(property: str, value: str, system: str, put: Put) -> str:
    return f"NOT coalesce({_is_a(property, value, system, put)}, false)"


def _generalizes(property: str, value: str, system: str, put: Put) -> str:
    _hierarchy(property, "generalizes")
    above = _OF.format(wanted="ancestors", system=system, code=put(value))
    return f"(c.code = {put(value)} OR c.id = ANY(({above})::integer[]))"


def _equals(property: str, value: str, system: str, put: Put) -> str:
    return _in_list(property, [value], system, put)


def _in(property: str, value: str, system: str, put: Put) -> str:
    values = [one.strip() for one in value.split(",")]
    if len(values) > MOST_LISTED:
        raise TooLarge("terminology.too-costly", most=MOST_LISTED)
    return _in_list(property, values, system, put)


def _not_in(property: str, value: str, system: str, put: Put) -> str:
    return f"NOT coalesce({_in(property, value, system, put)}, false)"


def _in_list(property: str, values: list[str], system: str, put: Put) -> str:
    if property in _ITSELF:
        return f"c.code = ANY({put(values)}::text[])"
    if property == "display":
        return f"c.display = ANY({put(values)}::text[])"
    if property == "child":
        return (
            "EXISTS (SELECT FROM terminology_concept below"
            f" WHERE below.system = {system} AND below.code = ANY({put(values)}::text[])"
            " AND below.facts @> ARRAY['parent=' || c.code])"
        )
    return f"c.facts && {put([f'{property}={one}' for one in values])}::text[]"


def _exists(property: str, value: str, _system: str, put: Put) -> str:
    if property in (*_ITSELF, "display"):
        there = "c.display IS NOT NULL" if property == "display" else "TRUE"
    else:
        there = f"c.facts @> {put([property])}::text[]"
    return there if value == "true" else f"NOT ({there})"


def _regex(property: str, value: str, _system: str, put: Put) -> str:
    if len(value) > LONGEST_REGEX or _BACKTRACKS.search(value):
        raise Invalid("terminology.regex", most=LONGEST_REGEX)
    pattern = put(f"^(?:{value})$")
    if property in (*_ITSELF, "display"):
        return f"c.{'display' if property == 'display' else 'code'} ~ {pattern}"
    start = put(f"{property}=")
    return (
        f"EXISTS (SELECT FROM unnest(c.facts) fact WHERE starts_with(fact, {start})"
        f" AND substr(fact, length({start}) + 1) ~ {pattern})"
    )


OPERATORS: dict[str, Callable[[str, str, str, Put], str]] = {
    "=": _equals,
    "is-a": _is_a,
    "descendent-of": _descendent_of,
    "is-not-a": _is_not_a,
    "regex": _regex,
    "in": _in,
    "not-in": _not_in,
    "generalizes": _generalizes,
    "exists": _exists,
}
