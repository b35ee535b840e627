"""Which directory record stands for an object, and what it says (PS3.3 §F.4, §F.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from serai.imaging.dataset.model_json import Attribute, Attributes

IMAGE: Final = "IMAGE"
STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
# The longest beginning of the SOP class decides.
KINDS: Final = {
    "4.2": "SPECTROSCOPY",
    "9.": "WAVEFORM",
    "11.": "PRESENTATION",
    "66": "RAW DATA",
    "66.1": "REGISTRATION",
    "66.2": "FIDUCIAL",
    "66.3": "REGISTRATION",
    "66.4": IMAGE,
    "66.5": "SURFACE",
    "66.6": "TRACT",
    "67": "VALUE MAP",
    "68.": "SURFACE SCAN",
    "77.1.5.3": "STEREOMETRIC",
    "78.": "MEASUREMENT",
    "88.": "SR DOCUMENT",
    "88.59": "KEY OBJECT DOC",
    "91.1": "ANNOTATION",
    "104.": "ENCAP DOC",
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    "481.4": "RT TREAT RECORD",
    "481.5": "RT PLAN",
    "481.6": "RT TREAT RECORD",
    "481.7": "RT TREAT RECORD",
    "481.8": "RT PLAN",
    "481.9": "RT TREAT RECORD",
}
CONTENT_DATE, CONTENT_TIME, NUMBER = "00080023", "00080033", "00200013"
DATED: Final = (CONTENT_DATE, CONTENT_TIME, NUMBER)
LABELLED: Final = (*DATED, "00700080", "00700081", "00700084")
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "PATIENT": ("00100010", "00100020"),
    "STUDY": ("00080020", "00080030", "00080050", "00081030", "0020000D", "00200010"),
    "SERIES": ("00080060", "0020000E", "00200011", "0008103E"),
    IMAGE: (NUMBER, "00080008", "00280008", "00280010", "00280011"),
    "SPECTROSCOPY": ("00080008", *DATED, "00280008", "00280010", "00280011"),
    "WAVEFORM": DATED,
    "PRESENTATION": ("00700082", "00700083", NUMBER, "00700080", "00700081", "00700084",
                     "00081115"),
    "RAW DATA": DATED,
    "SURFACE SCAN": (CONTENT_DATE, CONTENT_TIME),
    "STEREOMETRIC": (),
    "MEASUREMENT": DATED,
    "SR DOCUMENT": (NUMBER, "0040A491", "0040A493", CONTENT_DATE, CONTENT_TIME, "0040A030",
                    "0040A043"),
    "KEY OBJECT DOC": (NUMBER, CONTENT_DATE, CONTENT_TIME, "0040A043"),
    "ENCAP DOC": (CONTENT_DATE, CONTENT_TIME, NUMBER, "00420010", "0040A043", "00420012"),
    "RT DOSE": (NUMBER, "3004000A"),
    "RT STRUCTURE SET": (NUMBER, "30060002", "30060008", "30060009"),
    "RT PLAN": (NUMBER, "300A0002", "300A0006", "300A0007"),
    "RT TREAT RECORD": (NUMBER, "30080250", "30080251"),
}  # fmt: skip
# A directory must say something where objects may be silent; readers know these for empty.
INVENTED: Final[Mapping[str, tuple[str, str]]] = {
    "00080020": ("DA", "19000101"),
    "00080030": ("TM", "000000"),
    CONTENT_DATE: ("DA", "19000101"),
    CONTENT_TIME: ("TM", "000000"),
    "00700082": ("DA", "19000101"),
    "00700083": ("TM", "000000"),
    "00700080": ("CS", "UNLABELED"),
    "0040A491": ("CS", "PARTIAL"),
    "0040A493": ("CS", "UNVERIFIED"),
    "00420012": ("LO", "application/octet-stream"),
    "3004000A": ("CS", "PLAN"),
    "30060002": ("SH", "UNLABELED"),
    "300A0002": ("SH", "UNLABELED"),
    "00080060": ("CS", "OT"),
}
# Required, but empty is enough.
MAY_BE_EMPTY: Final[Mapping[str, str]] = {
    "00100010": "PN", "00080050": "SH", "00081030": "LO", "00700081": "LO", "00700084": "PN",
    "00420010": "ST", "0040A043": "SQ", "30060008": "DA", "30060009": "TM", "300A0006": "DA",
    "300A0007": "TM", "30080250": "DA", "30080251": "TM",
}  # fmt: skip
# The position among the neighbours stands in for a number that is missing.
NUMBERED: Final[Mapping[str, str]] = {
    "00100020": "LO", "00200010": "SH", "00200011": "IS", NUMBER: "IS",
}  # fmt: skip


def kind_of(sop_class: str, *, pictures: bool) -> str:
    """The type of directory record for a SOP class."""
    name = sop_class.removeprefix(STORAGE)
    known = [start for start in KINDS if name == start or name.startswith(start.rstrip(".") + ".")]
    if name == sop_class or not known:
        return IMAGE if pictures else "RAW DATA"
    return KINDS[max(known, key=len)]


def keys_of(kind: str, attributes: Attributes, position: int) -> Attributes:
    """What the directory says of a thing, from its attributes."""
    found: Attributes = {}
    for tag in KEYS.get(kind, LABELLED):
        known = attributes.get(tag)
        value = known if known and known.get("Value") else _in_place(tag, position)
        if value:
            found[tag] = value
    return found


def _in_place(tag: str, position: int) -> Attribute | None:
    if tag in NUMBERED:
        return {"vr": NUMBERED[tag], "Value": [str(position)]}
    if tag in INVENTED:
        vr, value = INVENTED[tag]
        return {"vr": vr, "Value": [value]}
    return {"vr": MAY_BE_EMPTY[tag]} if tag in MAY_BE_EMPTY else None
