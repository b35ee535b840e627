"""Which scopes come of a request: what is asked, less what the app is registered for, what the
person may and what they unticked. Nothing here ever adds.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from serai.kernel.errors import Malformed
from serai.platform.auth.scopes import Scope, modern, parse_scope

# What is no access to data: who somebody is, whose record, and for how long.
WORDS = frozenset(
    {"openid", "fhirUser", "profile", "launch", "launch/patient", "offline_access", "online_access"}
)
MOST_SCOPES = 200
MOST_LETTERS = 8000


def known_words(text: str) -> frozenset[str]:
    """What an app is registered for; Malformed names what is not known."""
    words = _split(text)
    return frozenset(word if word in WORDS else str(parse_scope(modern(word))) for word in words)


def asked(text: str, registered: frozenset[str], *, level: frozenset[str]) -> frozenset[str]:
    """The part of a request that the app is registered for, at these levels. Words that this
    server does not know are left out, as RFC 6749 §3.3 allows; the answer says what holds."""
    words = frozenset(_split(text))
    clinical = (_parsed(word) for word in words - WORDS)
    found = {
        str(one)
        for scope in clinical
        if scope is not None and scope.level in level
        for one in _common(scope, registered)
    }
    return frozenset(found) | (words & WORDS & registered)


def effective(granted: frozenset[str], held: frozenset[str]) -> frozenset[str]:
    """What an app may now: what it was allowed, as far as the person may it themselves."""
    return _effective(granted, held)


def narrowed(before: frozenset[str], wanted: Iterable[str]) -> frozenset[str]:
    """At refreshing, fewer may be asked for, none that was not granted (RFC 6749 §6)."""
    words = {word if word in WORDS else str(parse_scope(modern(word))) for word in wanted}
    if not words <= before:
        raise Malformed("scope.malformed", scope="")
    return frozenset(words)


def clinical(scopes: Iterable[str]) -> list[Scope]:
    """Those about data, in an order to show them in."""
    return [parse_scope(one) for one in sorted(scopes) if one not in WORDS]


def needs_patient(scopes: Iterable[str]) -> bool:
    return any(one == "launch/patient" or one.startswith("patient/") for one in scopes)


@lru_cache(maxsize=1024)
def _effective(granted: frozenset[str], held: frozenset[str]) -> frozenset[str]:
    return frozenset(str(one) for scope in clinical(granted) for one in _common(scope, held, ""))


def _common(scope: Scope, others: Iterable[str], level: str | None = None) -> set[Scope]:
    """What a scope has in common with each of the others; their level is not looked at when it
    is said to be ``""``."""
    found: set[Scope] = set()
    for text in others:
        other = parse_scope(text) if "/" in text and text not in WORDS else None
        if other is None or (level is None and other.level != scope.level):
            continue
        types = {scope.resource_type, other.resource_type} - {"*"} or {"*"}
        letters = "".join(one for one in scope.interactions if one in other.interactions)
        queries = sorted({one for one in (scope.query, other.query) if one})
        if len(types) == 1 and letters:
            found.add(Scope(scope.level, types.pop(), letters, "&".join(queries)))
    return found


def _split(text: str) -> list[str]:
    words = text.split()
    if not words or len(words) > MOST_SCOPES or len(text) > MOST_LETTERS:
        raise Malformed("scope.missing")
    return words


def _parsed(word: str) -> Scope | None:
    try:
        return parse_scope(modern(word))
    except Malformed:
        return None
