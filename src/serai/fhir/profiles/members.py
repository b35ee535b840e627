"""Whether codes are in value sets, by what HL7's definitions and plainly enumerated ValueSets
of the store say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from serai.fhir import definitions as r4
from serai.fhir.profiles.scene import Question
from serai.fhir.profiles.shelf import definitions, newest
from serai.platform.db import Connection

Systems = dict[str, frozenset[str]]


def plain_members(
    connection: Connection,
) -> Callable[[Sequence[Question]], Awaitable[list[bool | None]]]:
    async def members(asked: Sequence[Question]) -> list[bool | None]:
        known: dict[str, Any] = {url: r4.value_set(url) for url, _, _ in asked}
        rest = [url for url, systems in known.items() if systems is None]
        stored = await definitions(connection, "ValueSet", rest)
        for url in rest:
            known[url] = enumerated(newest(stored, url))
        return [_is_among(known[url], system, code) for url, system, code in asked]

    return members


def enumerated(value_set: dict[str, Any] | None) -> Systems | None:
    """Its codes by system when every part lists them; None when a part needs a code system."""
    compose = (value_set or {}).get("compose") or {}
    parts = compose.get("include") or []
    if not parts or compose.get("exclude") or not all("concept" in one for one in parts):
        return None
    found: Systems = {}
    for one in parts:
        system = str(one.get("system"))
        codes = frozenset(concept["code"] for concept in one["concept"] if "code" in concept)
        found[system] = found.get(system, frozenset()) | codes
    return found


def _is_among(systems: Systems | None, system: str | None, code: str) -> bool | None:
    if systems is None:
        return None
    if system is None:
        return any(code in codes for codes in systems.values())
    return code in systems.get(system, ())
