"""The parameters of `$everything`, and the address of its next page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote, urlencode

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.interaction.asked import Asked
from serai.fhir.operations.given import Given, given
from serai.fhir.search.intervals import EARLIEST, LATEST, interval
from serai.fhir.search.paging import CURSOR, read_cursor, write_cursor
from serai.kernel.errors import Malformed

DEFAULT_COUNT = 1000
MOST_COUNT = 1000
KEPT = ("start", "end", "_since", "_type")


@dataclass(frozen=True, slots=True)
class Wanted:
    """`start` and `end` bound the dates of care, `since` those of change; no `types` means all.
    `kept` are the parameters that the next page repeats."""

    start: datetime | None
    end: datetime | None
    since: datetime | None
    types: frozenset[str]
    count: int
    cursor: tuple[str, ...] | None
    kept: tuple[tuple[str, str], ...]

    def this_page(self) -> str:
        pairs = [*self.kept, ("_count", str(self.count))]
        if self.cursor is not None:
            pairs.append((CURSOR, write_cursor(self.cursor)))
        return urlencode(pairs, quote_via=quote)

    def next_page(self, cursor: tuple[str, ...]) -> str:
        return replace(self, cursor=cursor).this_page()


def wanted(asked: Asked) -> Wanted:
    """Everything that is not understood is refused: left out, it would give too much."""
    params = given(asked).only(*KEPT, "_count", CURSOR)
    if params.body is not None:
        raise Malformed("operation.bad-parameter", parameter="body", expected="Parameters")
    count = params.integer("_count", default=DEFAULT_COUNT, most=MOST_COUNT)
    if count == 0:
        raise Malformed("operation.bad-parameter", parameter="_count", expected="at least 1")
    cursor = params.text(CURSOR)
    start, end = _moment(params, "start"), _moment(params, "end", last=True)
    return Wanted(
        start=start,
        end=end,
        since=_moment(params, "_since"),
        types=_types(params),
        count=count,
        cursor=read_cursor(cursor) if cursor else None,
        kept=tuple((name, str(value)) for name, value in params.named if name in KEPT),
    )


def _moment(params: Given, name: str, *, last: bool = False) -> datetime | None:
    text = params.text(name)
    if text is None:
        return None
    found = interval(text.replace(" ", "+"))
    if found is None:
        raise Malformed("search.date", parameter=name)
    return min(max(found[1] if last else found[0], EARLIEST), LATEST)


def _types(params: Given) -> frozenset[str]:
    found: set[str] = set()
    for value in params.all("_type"):
        if not isinstance(value, str):
            raise Malformed("operation.bad-parameter", parameter="_type", expected="text")
        found.update(value.split(","))
    for kind in found - RESOURCE_TYPES:
        raise Malformed("fhir.unknown-type", type=kind[:64])
    return frozenset(found)
