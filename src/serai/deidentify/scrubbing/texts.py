"""Every text of a data set in UTF-8 before anything is decided about it.

Many writers leave out the escapes that their character set wants (PS3.5 §6.1.2.5), and pydicom
then reads a name as Latin letters that only look like noise.
"""

from __future__ import annotations

from typing import Any, Final

from serai.imaging.dataset.charset import decode, encodings
from serai.imaging.dataset.elements import public_vr

CHARACTER_SET: Final = 0x00080005
DEPENDENT_VRS: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
ESCAPE: Final = b"\x1b"


def in_utf8(data_set: Any, inherited: tuple[str, ...] = ()) -> None:
    """In place, at every depth; an item without a character set has the one around it."""
    terms = _terms(data_set) or inherited
    codecs = encodings(terms)
    for tag in list(data_set.keys()):
        raw = data_set.get_item(tag)
        value = getattr(raw, "value", None)
        if not getattr(raw, "is_raw", False) or not isinstance(value, bytes):
            continue
        vr = public_vr(int(tag)) if raw.VR in (None, "UN") else raw.VR
        if vr in DEPENDENT_VRS and (ESCAPE in value or not value.isascii()):
            text = decode(value, codecs, person_name=vr == "PN").encode()
            data_set[tag] = raw._replace(value=text, length=len(text))
    implicit, little = data_set.original_encoding
    data_set.set_original_encoding(implicit, little, ["utf8"])
    for item in _items(data_set):
        in_utf8(item, terms)
    if CHARACTER_SET in data_set:
        data_set.SpecificCharacterSet = "ISO_IR 192"


def _terms(data_set: Any) -> tuple[str, ...]:
    try:
        value = data_set.get("SpecificCharacterSet")
    except (ValueError, TypeError, AttributeError):
        return ()
    if not value:
        return ()
    several = [value] if isinstance(value, str) else list(value)
    return tuple(str(one) for one in several)


def _items(data_set: Any) -> list[Any]:
    found: list[Any] = []
    for tag in list(data_set.keys()):
        raw = data_set.get_item(tag)
        vr = raw.VR or public_vr(int(tag))
        if vr == "SQ" or (vr == "UN" and public_vr(int(tag)) == "SQ"):
            try:
                found += data_set[tag].value or []
            except (ValueError, TypeError, KeyError, AttributeError, EOFError, OSError):
                del data_set[tag]
    return [one for one in found if hasattr(one, "keys")]
