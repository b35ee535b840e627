"""Attributes that can be searched by, and how each is matched (PS3.18 §10.6, PS3.4 §C.2.2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from serai.imaging.archive.header import SERIES_TAGS, STUDY_TAGS
from serai.imaging.dataset.elements import public_vr


class Level(IntEnum):
    """From the outside in; only DIMSE asks for patients (PS3.4 §C.6.1.1.1)."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    INSTANCE = 3


class Match(Enum):
    """Kinds of matching, by what the column or attribute holds."""

    TEXT = "text"  # exact or with * and ?
    RANGE = "range"  # text whose order is that of its meaning: DA and TM
    UIDS = "uids"  # one or a list
    NAME = "name"  # folded, in any component group
    DATE = "date"
    TIME = "time"
    NUMBER = "number"
    MODALITIES = "modalities"


@dataclass(frozen=True, slots=True)
class Key:
    """A searchable attribute; `column` is an SQL expression, never client input."""

    tag: str
    level: Level
    match: Match
    column: str


COLUMNS: Final = {
    key.tag: key
    for key in (
        Key("0020000D", Level.STUDY, Match.UIDS, "s.uid"),
        Key("00100020", Level.STUDY, Match.TEXT, "s.patient_id"),
        Key("00100010", Level.STUDY, Match.NAME, "s.name"),
        Key("00080020", Level.STUDY, Match.DATE, "s.study_date"),
        Key("00080030", Level.STUDY, Match.TIME, "s.study_time"),
        Key("00080050", Level.STUDY, Match.TEXT, "s.accession"),
        Key("00080061", Level.STUDY, Match.MODALITIES, "s.modalities"),
        Key("00100021", Level.STUDY, Match.TEXT, "s.issuer"),
        Key("0020000E", Level.SERIES, Match.UIDS, "e.uid"),
        Key("00080060", Level.SERIES, Match.TEXT, "e.modality"),
        Key("00200011", Level.SERIES, Match.NUMBER, "e.number"),
        Key("00080018", Level.INSTANCE, Match.UIDS, "i.uid"),
        Key("00080016", Level.INSTANCE, Match.UIDS, "i.sop_class"),
        Key("00200013", Level.INSTANCE, Match.NUMBER, "i.number"),
    )
}
MATCH_BY_VR: Final = {
    "AE": Match.TEXT,
    "CS": Match.TEXT,
    "DA": Match.RANGE,
    "LO": Match.TEXT,
    "PN": Match.TEXT,
    "SH": Match.TEXT,
    "TM": Match.RANGE,
}
# Scheduled Procedure Step ID, Requested Procedure ID.
REQUEST_ATTRIBUTES: Final = "00400275"
REQUEST_KEYS: Final = ("00400009", "00401001")


def tag_of(name: str) -> str | None:
    """Eight upper-case digits for a keyword or a tag; None for neither."""
    if len(name) == 8:
        try:
            return f"{int(name, 16):08X}"
        except ValueError:
            pass
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(name)
    return None if tag is None else f"{tag:08X}"


def nested_key_of(path: str) -> Key | None:
    """Of what requested a series, the standard's keys inside a sequence (PS3.18 §10.6.1.2.3)."""
    sequence, _, name = path.partition(".")
    outer, inner = tag_of(sequence), tag_of(name)
    if outer != REQUEST_ATTRIBUTES or inner not in REQUEST_KEYS:
        return None
    column = f"""jsonb_path_query_array(e.attributes, '$."{outer}".Value[*]."{inner}".Value[*]')"""
    return Key(inner, Level.SERIES, Match.TEXT, column)


def key_of(tag: str) -> Key | None:
    """How to search by a tag; None when this server cannot."""
    from pydicom.datadict import keyword_for_tag

    if tag in COLUMNS:
        return COLUMNS[tag]
    vr = public_vr(int(tag, 16))
    if vr not in MATCH_BY_VR:
        return None
    if tag in STUDY_TAGS or (tag.startswith("0010") and keyword_for_tag(int(tag, 16))):
        return Key(tag, Level.STUDY, MATCH_BY_VR[vr], f"s.attributes -> '{tag}' -> 'Value'")
    if tag in SERIES_TAGS:
        return Key(tag, Level.SERIES, MATCH_BY_VR[vr], f"e.attributes -> '{tag}' -> 'Value'")
    return None
