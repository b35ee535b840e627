"""Dummy values: of the right form, and of nobody (action D, PS3.15 §E.1.1)."""

from __future__ import annotations

from typing import Any, Final

REMOVED: Final = "REMOVED"
TEXT_VRS: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
FREE_TEXT_VRS: Final = frozenset({"LT", "ST", "UT"})
DATE_VRS: Final = frozenset({"DA", "DT", "TM"})
BYTES_VRS: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
STRING_VRS: Final = TEXT_VRS | DATE_VRS | {"AS", "DS", "IS", "UI"}

DUMMIES: Final[dict[str, Any]] = {
    **dict.fromkeys(TEXT_VRS, REMOVED),
    **dict.fromkeys(BYTES_VRS, b"\0\0\0\0\0\0\0\0"),
    **dict.fromkeys(("FL", "FD"), 0.0),
    **dict.fromkeys(("AT", "SL", "SS", "SV", "UL", "US", "UV"), 0),
    "AS": "000D",
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "IS": "0",
    "TM": "000000",
    "UR": "urn:removed",
}
CODE: Final = ("REMOVED", "99SERAI", "Removed")


def listed(text: str) -> frozenset[str]:
    """The words of a text, for tables that are easier read without quotes."""
    return frozenset(text.split())


def dummy(vr: str) -> Any:
    """A value for a VR; of `US or SS` the first counts."""
    return DUMMIES[vr.partition(" ")[0]]


def empty(vr: str) -> Any:
    """No value, as pydicom wants it said."""
    return [] if vr == "SQ" else (b"" if vr in BYTES_VRS else None)


def texts(value: Any) -> list[str]:
    """Every value of an element as text; bytes are not among them."""
    if value is None or isinstance(value, bytes):
        return []
    several = value if isinstance(value, list) or _is_multiple(value) else [value]
    return [str(one) for one in several]


def _is_multiple(value: Any) -> bool:
    return hasattr(value, "append") and not isinstance(value, str)
