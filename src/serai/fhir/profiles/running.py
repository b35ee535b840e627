"""Walks until nothing is missing: a walk notes what it lacked, that is fetched, and it is made
again. Warm, one walk is enough."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from serai.fhir.profiles import contents
from serai.fhir.profiles.members import plain_members
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.scene import Known, Question, Scope, TooCostly, targets_of
from serai.fhir.profiles.shelf import Shelf, shelf
from serai.fhir.validation import validate as validate_base
from serai.fhir.validation.findings import top
from serai.kernel.errors import Issue
from serai.platform.db import Connection

Members = Callable[[Sequence[Question]], Awaitable[Sequence[bool | None]]]

# A list of a hundred thousand entries takes one million; this many take some ten seconds.
MOST_STEPS: Final = 2_000_000
MOST_WALKS: Final = 12
STOPPERS: Final = frozenset({"fhir.too-deep", "fhir.unknown-resource-type"})


async def validate(
    connection: Connection,
    data: dict[str, Any],
    profiles: Sequence[str],
    *,
    members: Members | None = None,
) -> list[Issue]:
    """Against R4 itself, the profiles named, and those that it and its entries claim.

    `members` answers for each (value set, system, code) whether the code is in the set, None
    where the set is not known. It is asked for all codes together.
    """
    issues = validate_base(data)
    if not isinstance(data.get("resourceType"), str) or any(one.key in STOPPERS for one in issues):
        return issues
    ask = members or plain_members(connection)
    kept = await shelf(connection)
    answers: dict[Question, bool | None] = {}
    report = Report()
    for _ in range(MOST_WALKS):
        known = Known(kept.profiles, answers, targets_of(data), MOST_STEPS)
        # In a thread, so that a large document does not keep the others waiting.
        report = await asyncio.to_thread(_walk, data, profiles, known)
        if not await _brought(connection, kept, known, ask, answers):
            break
    for issue in issues:
        report.take(issue)
    return report.issues


async def _brought(
    connection: Connection,
    kept: Shelf,
    known: Known,
    ask: Members,
    answers: dict[Question, bool | None],
) -> bool:
    """Whether something was missing."""
    await kept.fetch(connection, known.missing)
    asked = sorted(known.questions - answers.keys(), key=repr)
    if asked:
        answers.update(zip(asked, await ask(asked), strict=True))
    return bool(known.missing or asked)


def _walk(data: dict[str, Any], profiles: Sequence[str], known: Known) -> Report:
    report = Report()
    place = top(str(data["resourceType"])[:64])
    scope = Scope(data, place, data)
    try:
        for url in profiles:
            contents.against(url, scope, known, report)
        contents.check(data, place, scope, known, report)
    except TooCostly:
        report.add("too-costly", "profile.too-costly", place)
    return report
