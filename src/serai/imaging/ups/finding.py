"""Search Transaction of the worklist (PS3.18 §11.9, PS3.4 §CC.2.8): keys, conditions, rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timezone
from typing import Any, Final

from psycopg.sql import Literal

from serai.imaging.dataset.elements import public_vr
from serai.imaging.search.conditions import Conditions, conditions
from serai.imaging.search.keys import MATCH_BY_VR, Key, Level, Match, tag_of
from serai.imaging.search.query import MAX_RESULTS, Filter
from serai.imaging.ups import access
from serai.imaging.ups import attributes as a
from serai.imaging.ups.moments import between, offset
from serai.kernel.actor import Actor
from serai.kernel.errors import Malformed
from serai.platform.db import Database

ALL: Final = "all"
HANDLED_ELSEWHERE: Final = frozenset({"accept", "charset"})
UNIVERSAL: Final = ("", "*")
# A filter as asked for: attribute path and value.
Pair = tuple[str, str]
Written = tuple[str, dict[str, Any]]

COLUMNS: Final = {
    a.SOP_INSTANCE_UID: (Match.UIDS, "s.id"),
    a.STATE: (Match.TEXT, "s.state"),
    a.PATIENT_ID: (Match.TEXT, "s.patient_id"),
    "00100021": (Match.TEXT, "s.issuer"),
    a.PATIENT_NAME: (Match.NAME, "s.name"),
}
MOMENTS: Final = {
    a.START: "s.scheduled_start",
    a.EXPECTED_COMPLETION: "s.expected_completion",
    a.EXPIRATION: "s.expiration",
    a.MODIFIED: "s.modified",
}
# Matched in the data set itself.
PLAIN: Final = frozenset(
    {
        a.SOP_CLASS_UID, "0020000D", "00100030", "00100040", "00380010", a.PRIORITY,
        a.WORKLIST_LABEL, "00741204", a.READINESS,
    }
)  # fmt: skip
CODE: Final = ("00080100", "00080102", "00080119", "00080120")
ENTITY: Final = ("00400031", "00400032", "00400033")
# Sequences and what of their items can be matched; keys of one sequence are of one item.
NESTED: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    ("00404018",): CODE,
    (a.STATION_NAMES,): CODE,
    ("00404026",): CODE,
    ("00404027",): CODE,
    (a.HUMAN_PERFORMERS,): ("00404036", "00404037"),
    (a.HUMAN_PERFORMERS, "00404009"): CODE,
    ("0040A370",): ("0020000D", "00080050", "00401001", "00321033", "00402016", "00402017"),
    ("0040A370", "00080051"): ENTITY,
    ("00380014",): ENTITY,
    ("00741224",): ("00081150", "00081155"),
    ("00101002",): (a.PATIENT_ID, "00100021"),
    ("00404021",): ("0020000D", "0020000E", "0040E020"),
    ("00404021", "00081199"): ("00081150", "00081155"),
}
# As in imaging/search/rows: each way an organisation comes to see a workitem has an index in the
# order of the page, and the rule itself decides on every row.
WAYS: Final = (
    "s.owner = {organisation}",
    "s.custodian = {organisation}",
    "s.custodian = '?'",
    """s.id = ANY (ARRAY(
        SELECT shared.id FROM fhir_share shared
        WHERE shared.organisation = {organisation} AND shared.type = 'Workitem'
          AND shared.closed_at IS NULL))""",
)
DEEP: Final = 10_000
# Such a value leaves so few rows that its own index serves better than the order of the page.
FEW: Final = frozenset({a.SOP_INSTANCE_UID, a.PATIENT_ID, a.PATIENT_NAME})
ORDER: Final = "scheduled_start, id"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search as read from the address."""

    pairs: tuple[Pair, ...]
    include: frozenset[str]
    include_all: bool
    limit: int
    offset: int
    fuzzy: bool


def parse(parameters: Iterable[tuple[str, str]]) -> Wanted:
    """Strictly: what cannot be honoured is refused."""
    pairs: list[Pair] = []
    include: set[str] = set()
    numbers = {"limit": MAX_RESULTS, "offset": 0}
    fuzzy = False
    for name, value in parameters:
        if name == "includefield":
            include |= {part.strip() for part in value.split(",") if part.strip()}
        elif name in numbers:
            numbers[name] = _natural(name, value)
        elif name == "fuzzymatching":
            fuzzy = fuzzy or value.lower() == "true"
        elif name not in HANDLED_ELSEWHERE:
            pairs.append((name, value))
    written_all([pairs])
    fields = {_tag(field.partition(".")[0], field) for field in include - {ALL}}
    return Wanted(
        tuple(pairs),
        frozenset(fields | {_path(name)[0] for name, _ in pairs}),
        ALL in include,
        min(numbers["limit"], MAX_RESULTS),
        numbers["offset"],
        fuzzy,
    )


def written_all(filters: Sequence[Sequence[Pair]], *, fuzzy: bool = False) -> list[Written]:
    """Each filter as a condition on `s`; their parameters have different names."""
    return [_written(pairs, f"f{n}", fuzzy=fuzzy) for n, pairs in enumerate(filters)]


async def found(db: Database, wanted: Wanted, actor: Actor) -> list[str]:
    """The workitems' data sets in a stable order, one more than asked for."""
    ((condition, parameters),) = written_all([wanted.pairs], fuzzy=wanted.fuzzy)
    clause, seen = access.visible(actor)
    condition, limit = f"{condition} AND {clause}", wanted.limit + 1
    last = wanted.offset + limit
    if seen and last <= DEEP and not _leaves_few(wanted.pairs):
        named = Literal(actor.organisation).as_string().replace("%", "%%")
        ways = (f"{way.format(organisation=named)} AND {condition}" for way in WAYS)
        places = " UNION ".join(f"({_places(way, last)})" for way in ways)
    else:
        places = _places(condition, last)
    statement = (
        "SELECT s.attributes::text FROM ("  # noqa: S608 - conditions of ours, values apart
        f"SELECT * FROM ({places}) found ORDER BY {ORDER} LIMIT {limit} OFFSET {wanted.offset}"
        ") AS page JOIN imaging_workitem s ON s.id = page.id "
        "ORDER BY page.scheduled_start, page.id"
    )
    async with db.connection() as connection:
        cursor = await connection.execute(statement.encode(), {**parameters, **seen})
        return [attributes for (attributes,) in await cursor.fetchall()]


def _leaves_few(pairs: Sequence[Pair]) -> bool:
    return any(_path(name)[-1] in FEW and value.strip()[:1] not in "*?" for name, value in pairs)


def _places(condition: str, limit: int) -> str:
    return (
        f"SELECT s.scheduled_start, s.id FROM imaging_workitem s WHERE {condition} "  # noqa: S608
        f"ORDER BY {ORDER} LIMIT {limit}"
    )


@dataclass(slots=True)
class _Group:
    """What is asked of one thing: the workitem, or an item of one of its sequences."""

    form: str
    filters: list[Filter] = field(default_factory=list)
    own: list[str] = field(default_factory=list)


def _written(pairs: Sequence[Pair], prefix: str, *, fuzzy: bool) -> Written:
    zone, parameters = _zone(pairs), dict[str, Any]()
    groups: dict[tuple[str, ...], _Group] = {}
    for number, (name, value) in enumerate(pairs):
        *sequences, tag = _path(name)
        if "\0" in value:
            raise Malformed("qido.value", parameter=name[:100])
        if value.strip() in UNIVERSAL or tag == a.TIMEZONE_OFFSET:
            continue
        path = tuple(sequences)
        group = groups.setdefault(path, _Group(_one_item(path) if path else "{}"))
        key = _key(tag, nested=bool(path))
        own = f"{prefix}p{number}"
        if key.match is Match.DATE:
            part, values = _moment(key.column, value, zone, own)
        elif key.match is Match.UIDS and "attributes" in key.column:
            part, values = _one_of(key.column, value, own)
        else:
            group.filters.append(Filter(key, value))
            continue
        group.own.append(part)
        parameters |= values
    sql = []
    for number, group in enumerate(groups.values()):
        written = conditions(group.filters, fuzzy=fuzzy)
        sql.append(_grouped(group, written, f"{prefix}g{number}"))
        parameters |= {
            f"{prefix}g{number}{name}": each for name, each in written.parameters.items()
        }
    return " AND ".join(sql) or "TRUE", parameters


def _grouped(group: _Group, written: Conditions, prefix: str) -> str:
    # Every set of conditions numbers its parameters from 0.
    sql = written.sql.replace("%(q", f"%({prefix}q")
    return group.form.replace("{}", f"({' AND '.join((sql, *group.own))})")


def _one_item(path: tuple[str, ...]) -> str:
    steps = "".join(f'."{tag}".Value[*]' for tag in path)
    return (
        "EXISTS (SELECT 1 FROM jsonb_path_query(s.attributes, '$"  # noqa: S608 - our own tags
        f"{steps}') AS attributes(item) WHERE {{}})"
    )


def _path(name: str) -> tuple[str, ...]:
    """Keywords or tags with dots between them; only what can be matched."""
    path = tuple(_tag(part, name) for part in name.split("."))
    *sequences, tag = path
    known = NESTED.get(tuple(sequences), ()) if sequences else {*COLUMNS, *MOMENTS, *PLAIN}
    if tag not in known and path != (a.TIMEZONE_OFFSET,):
        raise Malformed("qido.cannot-search-by", parameter=name[:100])
    return path


def _tag(part: str, name: str) -> str:
    tag = tag_of(part)
    if tag is None:
        raise Malformed("qido.unknown-parameter", parameter=name[:100])
    return tag


def _key(tag: str, *, nested: bool) -> Key:
    """Moments match as dates do; everything in the data set by what its VR allows."""
    if tag in COLUMNS and not nested:
        match, column = COLUMNS[tag]
        return Key(tag, Level.STUDY, match, column)
    if tag in MOMENTS:
        return Key(tag, Level.STUDY, Match.DATE, MOMENTS[tag])
    where = "attributes.item" if nested else "s.attributes"
    vr = public_vr(int(tag, 16))
    match = Match.UIDS if vr == "UI" else MATCH_BY_VR.get(vr, Match.TEXT)
    return Key(tag, Level.STUDY, match, f"{where} -> '{tag}' -> 'Value'")


def _one_of(column: str, value: str, name: str) -> Written:
    uids = [uid.strip() for uid in value.replace("\\", ",").split(",") if uid.strip()]
    return f"({column}) ?| %({name})s::text[]", {name: uids}


def _zone(pairs: Sequence[Pair]) -> timezone:
    """Times without an offset are meant in the zone given, else in UTC (PS3.4 §CC.2.8.1.3.1)."""
    given = [value for name, value in pairs if tag_of(name) == a.TIMEZONE_OFFSET]
    if not given:
        return UTC
    zone = offset(given[-1].strip())
    if zone is None:
        raise Malformed("qido.value", parameter="TimezoneOffsetFromUTC")
    return zone


def _moment(column: str, value: str, zone: timezone, name: str) -> Written:
    bounds = between(value, zone)
    if bounds is None:
        raise Malformed("qido.value", value=value[:40])
    low, high = bounds
    parts, parameters = [], {}
    for bound, sign, which in ((low, ">=", "a"), (high, "<=", "b")):
        if bound is not None:
            parts.append(f"{column} {sign} %({name}{which})s")
            parameters[f"{name}{which}"] = bound
    return " AND ".join(parts), parameters


def _natural(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise Malformed("qido.not-a-number", parameter=name, value=value[:20])
    return int(value)
