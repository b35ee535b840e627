"""Reads search parameters; what this server cannot honour is refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.search import written
from serai.fhir.search.conditions import NotHonoured
from serai.fhir.search.criteria import Given, honoured
from serai.fhir.search.paging import CURSOR, read_cursor
from serai.fhir.search.places import Place, of_type
from serai.fhir.search.query import Include, Query, SortKey, Test
from serai.fhir.search.subsets import Subset, element_keys
from serai.kernel.errors import Malformed

DEFAULT_COUNT = 50
MAX_COUNT = 1000
MOST_SORT_KEYS = 8
SORTABLE = {
    "date": "date",
    "string": "string",
    "number": "quantity",
    "quantity": "quantity",
    "token": "written",
    "reference": "written",
    "uri": "written",
}
RESULT_PARAMETERS = frozenset(
    {"_sort", "_count", "_total", "_summary", "_elements", "_include", "_revinclude", CURSOR}
)
SUMMARIES = ("true", "text", "data", "count", "false")
# Read by the HTTP layer; they change the form of the answer, not its content.
FORM_PARAMETERS = frozenset({"_format", "_pretty"})

Pairs = Sequence[tuple[str, str]]


def parse(
    where: str | Place, pairs: Pairs, *, now: datetime, base: str = "", handling: str = "strict"
) -> Query:
    """The query these parameters ask for; `handling` is strict or lenient (R4 §3.1.1.1)."""
    place = of_type(where) if isinstance(where, str) else where
    made: list[Test] = []
    applied: list[tuple[str, str]] = []
    ignored: list[str] = []
    result: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in FORM_PARAMETERS:
            continue
        bare = name.partition(":")[0]
        try:
            if bare in RESULT_PARAMETERS:
                result.setdefault(_result_name(name), []).append(value)
            elif name != "_type" or not place.lists_types:
                made.append(place.criterion(name, Given(value, now, base)))
        except NotHonoured:
            if handling != "lenient":
                raise
            ignored.append(name)
        else:
            applied.append((name, value))
    counting = result.get("_summary", [""])[-1] == "count"
    return Query(
        type=place.kind,
        conditions=(*made, *place.inside()),
        sort=_sort(place.kind, result.get("_sort", ())),
        includes=tuple(_includes(place.kind, result)),
        count=0 if counting else _count(result.get("_count", ())),
        total=counting or _total(result.get("_total", ())),
        cursor=read_cursor(result[CURSOR][-1]) if CURSOR in result else None,
        applied=tuple(pair for pair in applied if pair[0] != CURSOR),
        ignored=tuple(ignored),
        base=base,
        types=place.types,
        address=place.address,
        subset=_subset(place, result),
    )


def _result_name(name: str) -> str:
    if ":" in name and name not in ("_include:iterate", "_revinclude:iterate"):
        raise NotHonoured("search.modifier", parameter=name)
    return name


def _subset(place: Place, result: dict[str, list[str]]) -> Subset | None:
    """`_summary` (R4 §3.1.1.5.8) or `_elements` (§3.1.1.5.9), which exclude each other."""
    form = result.get("_summary", ["false"])[-1]
    if form not in SUMMARIES:
        raise Malformed("search.summary", parameter="_summary")
    included = any(name.startswith(("_include", "_revinclude")) for name in result)
    if (form == "text" and included) or (form != "false" and "_elements" in result):
        raise Malformed("search.summary-with", parameter="_summary")
    if form in ("true", "text", "data"):
        return Subset(form)
    if "_elements" not in result:
        return None
    names = {name for value in result["_elements"] for name in value.split(",")}
    known = [element_keys(kind, names) for kind in place.types]
    if any(keys is None for keys in known):
        raise Malformed("search.elements", parameter="_elements")
    return Subset("elements", frozenset().union(*(keys or () for keys in known)))


def _count(values: Sequence[str]) -> int:
    if not values:
        return DEFAULT_COUNT
    if not (values[-1].isascii() and values[-1].isdecimal()) or len(values[-1]) > 9:
        raise Malformed("search.count", parameter="_count")
    return min(int(values[-1]), MAX_COUNT)


def _total(values: Sequence[str]) -> bool:
    """An estimate is answered by the accurate number."""
    if values and values[-1] not in ("none", "accurate", "estimate"):
        raise Malformed("search.total", parameter="_total")
    return bool(values) and values[-1] != "none"


def _sort(resource_type: str, values: Iterable[str]) -> tuple[SortKey, ...]:
    words = [word for value in values for word in value.split(",")]
    if len(words) > MOST_SORT_KEYS:
        raise Malformed("search.too-many-values", parameter="_sort", most=MOST_SORT_KEYS)
    return tuple(_sort_key(resource_type, word) for word in words)


def _sort_key(resource_type: str, word: str) -> SortKey:
    code = word.removeprefix("-")
    descending = word.startswith("-")
    if code == "_id":
        return SortKey(code, "id", descending)
    if code == "_lastUpdated":
        return SortKey(code, "updated", descending)
    parameter = honoured(resource_type).get(code) if resource_type else None
    if parameter is None or not parameter.expression or parameter.type not in SORTABLE:
        raise Malformed("search.sort", parameter="_sort", by=code)
    kind = SORTABLE[parameter.type]
    if kind == "written" and not written.paths(resource_type, code):
        raise Malformed("search.sort", parameter="_sort", by=code)
    return SortKey(code, kind, descending)


def _includes(resource_type: str, result: dict[str, list[str]]) -> Iterable[Include]:
    for name in ("_include", "_revinclude"):
        for iterates in (False, True):
            asked = f"{name}:iterate" if iterates else name
            for value in result.get(asked, ()):
                include = _include(asked, value)
                # What `:iterate` starts from need not be a match.
                start = include.target if include.reversed else include.source
                if not iterates and resource_type and start not in (None, "*", resource_type):
                    raise Malformed("search.include", parameter=asked)
                yield include


def _include(name: str, value: str) -> Include:
    source, _, rest = value.partition(":")
    code, _, target = rest.partition(":")
    back, iterates = name.startswith("_rev"), name.endswith(":iterate")
    if target and target not in RESOURCE_TYPES:
        raise Malformed("search.include", parameter=name)
    if value == "*" and not back:
        return Include("*", "*", None, back, iterates)
    if source not in RESOURCE_TYPES:
        raise Malformed("search.include", parameter=name)
    parameter = honoured(source).get(code)
    if code != "*" and (parameter is None or parameter.type != "reference"):
        raise Malformed("search.include", parameter=name)
    return Include(source, code, target or None, back, iterates)
