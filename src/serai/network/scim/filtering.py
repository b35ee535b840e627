"""Filters of a list (RFC 7644 §3.4.2.2): comparisons for equality, joined by `and`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from serai.kernel.errors import Invalid
from serai.platform.auth.accounts import folded
from serai.platform.auth.feeds import Fed

TERM = re.compile(r'\s*(?P<name>[\w.:]+)\s+eq\s+(?P<value>"(?:[^"\\]|\\.)*"|true|false)\s*', re.I)
AND = re.compile(r"and\s", re.I)
LONGEST = 1000

Test = Callable[[Fed, str | bool], bool]

ATTRIBUTES: dict[str, tuple[type, Test]] = {
    "username": (str, lambda fed, value: fed.account.login == folded(str(value))),
    "externalid": (str, lambda fed, value: fed.feed_id == value),
    "id": (str, lambda fed, value: fed.account.id == value),
    "displayname": (str, lambda fed, value: fed.account.name.casefold() == str(value).casefold()),
    "emails.value": (str, lambda fed, value: (fed.email or "").casefold() == str(value).casefold()),
    "active": (bool, lambda fed, value: fed.active is value),
}


@dataclass(frozen=True, slots=True)
class Filter:
    terms: tuple[tuple[str, str | bool], ...] = ()

    def admits(self, fed: Fed) -> bool:
        return all(ATTRIBUTES[name][1](fed, value) for name, value in self.terms)


def parse_filter(text: str) -> Filter:
    """Invalid (invalidFilter) for everything else that SCIM knows and this server does not."""
    terms: list[tuple[str, str | bool]] = []
    at = 0
    while len(text) <= LONGEST and (found := TERM.match(text, at)):
        name = found["name"].rpartition(":")[2].lower()
        value: str | bool = msgspec.json.decode(_json(found["value"]), type=str | bool)
        if name not in ATTRIBUTES or not isinstance(value, ATTRIBUTES[name][0]):
            break
        terms.append((name, value))
        at = found.end()
        if at == len(text):
            return Filter(tuple(terms))
        joined = AND.match(text, at)
        if joined is None:
            break
        at = joined.end()
    raise Invalid("scim.filter", filter=text[:100])


def _json(value: str) -> str:
    return value if value.startswith('"') else value.lower()
