"""A QIDO-RS query read from the address, strictly: what cannot be honoured is refused."""

from __future__ import annotations

from collections.abc import Iterable

from serai.imaging.search.keys import Level, key_of, nested_key_of, tag_of
from serai.imaging.search.query import MAX_RESULTS, Filter, Query
from serai.kernel.errors import Malformed

ALL = "all"
# Read by other parts, or promises this server need not be told to keep.
HANDLED_ELSEWHERE = frozenset({"accept", "charset"})


def parse(
    level: Level, addressed: Iterable[tuple[str, str]], parameters: Iterable[tuple[str, str]]
) -> Query:
    """`addressed` are (tag, UID) from the path; `parameters` the decoded query string."""
    filters = [_filter(level, tag, uid, tag) for tag, uid in addressed]
    include: set[str] = set()
    numbers = {"limit": MAX_RESULTS, "offset": 0}
    include_all = fuzzy_asked = False
    for name, value in parameters:
        if name == "includefield":
            fields = {part.strip() for part in value.split(",") if part.strip()}
            include_all = include_all or ALL in fields
            include |= {_known_tag(field) for field in fields - {ALL}}
        elif name in numbers:
            numbers[name] = _natural(name, value)
        elif name == "fuzzymatching":
            fuzzy_asked = fuzzy_asked or value.lower() == "true"
        elif name not in HANDLED_ELSEWHERE:
            found = _filter(level, _known_tag(name), value, name)
            filters += [found] if value.strip() not in ("", "*") else []
    limit = min(numbers["limit"], MAX_RESULTS)
    return Query(
        level,
        tuple(filters),
        frozenset(include),
        include_all,
        limit,
        numbers["offset"],
        fuzzy_asked,
    )


def _known_tag(name: str) -> str:
    """Attribute paths into sequences name their first element; only that is checked here."""
    tag = tag_of(name.partition(".")[0])
    if tag is None:
        raise Malformed("qido.unknown-parameter", parameter=name[:100])
    return tag


def _filter(level: Level, tag: str, value: str, name: str) -> Filter:
    key = nested_key_of(name) if "." in name else key_of(tag)
    if key is None:
        raise Malformed("qido.cannot-search-by", parameter=name[:100])
    if key.level > level:
        raise Malformed("qido.not-at-this-level", parameter=name[:100], level=level.name.lower())
    if "\0" in value:
        raise Malformed("qido.value", parameter=name[:100])
    return Filter(key, value)


def _natural(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise Malformed("qido.not-a-number", parameter=name, value=value[:20])
    return int(value)
