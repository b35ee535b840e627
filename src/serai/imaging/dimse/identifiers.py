"""Query/Retrieve identifiers read strictly: levels, unique keys, matching keys (PS3.4 §C.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from serai.imaging.dataset.model_json import NAME_GROUPS, Attribute, Attributes, first_text
from serai.imaging.search.keys import Level, key_of
from serai.imaging.search.query import Filter
from serai.kernel.errors import Invalid

QUERY_RETRIEVE_LEVEL: Final = "00080052"
LEVELS: Final = {
    "PATIENT": Level.PATIENT,
    "STUDY": Level.STUDY,
    "SERIES": Level.SERIES,
    "IMAGE": Level.INSTANCE,
}
UNIQUE_KEYS: Final = {
    Level.PATIENT: "00100020",
    Level.STUDY: "0020000D",
    Level.SERIES: "0020000E",
    Level.INSTANCE: "00080018",
}
# They say how the identifier is to be read, or where things are; nothing matches them.
NOT_KEYS: Final = frozenset(
    {QUERY_RETRIEVE_LEVEL, "00080005", "00080053", "00080054", "00080056", "00080201"}
)
UNIVERSAL: Final = frozenset({"", "*"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an identifier asks for; `unsupported` are keys with values that nothing matches."""

    level: Level
    filters: tuple[Filter, ...]
    unsupported: frozenset[str]


def level_of(identifier: Attributes, *, patient_root: bool) -> Level:
    """Query/Retrieve Level, which must belong to the information model (PS3.4 §C.6)."""
    asked = first_text(identifier, QUERY_RETRIEVE_LEVEL)
    if asked not in LEVELS or (asked == "PATIENT" and not patient_root):
        raise Invalid("dimse.level", tag=QUERY_RETRIEVE_LEVEL)
    return LEVELS[asked]


def read(identifier: Attributes, level: Level) -> Wanted:
    """Matching keys of a C-FIND; those of levels below cannot be matched at this one."""
    filters, unsupported = [], set()
    for tag, attribute in identifier.items():
        value = key_text(attribute)
        if tag in NOT_KEYS or value in UNIVERSAL:
            continue
        key = key_of(tag) if attribute["vr"] != "SQ" else None
        if key is None or not _belongs(tag, key.level, level):
            unsupported.add(tag)
        else:
            filters.append(Filter(key, value))
    return Wanted(level, tuple(filters), frozenset(unsupported))


def read_unique(identifier: Attributes, level: Level, *, patient_root: bool) -> list[Filter]:
    """Unique keys of a retrieval: one value above the level, some at it (PS3.4 §C.4.2.2.1)."""
    filters = []
    for each, tag in UNIQUE_KEYS.items():
        value = key_text(identifier.get(tag, {"vr": "UI"}))
        above = each is Level.PATIENT and not patient_root
        if each > level or (above and not value):
            continue
        if not value or set(value) & set("*?") or (each < level and "\\" in value):
            # Many workstations leave out the patient, whom the study's UID makes needless.
            if each is Level.PATIENT and not value and level > each:
                continue
            raise Invalid("dimse.unique-key", tag=tag)
        key = key_of(tag)
        assert key
        filters.append(Filter(key, value))
    return filters


def key_text(attribute: Attribute) -> str:
    """The value of a key as it was written, several with backslashes between them."""
    if attribute["vr"] == "SQ":
        return "sequence" if any(_has_value(item) for item in attribute.get("Value", [])) else ""
    return "\\".join(_one(value) for value in attribute.get("Value", []))


def _has_value(item: Attributes) -> bool:
    return any(key_text(each) not in UNIVERSAL for each in item.values())


def _one(value: Any) -> str:
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in NAME_GROUPS).rstrip("=")
    return "" if value is None else str(value)


def _belongs(tag: str, of: Level, asked: Level) -> bool:
    if asked is Level.PATIENT:
        return tag.startswith("0010")
    return of <= asked
