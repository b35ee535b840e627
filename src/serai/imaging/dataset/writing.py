"""The DICOM JSON model written as a binary data set: answers to queries and notifications.

What is stored is said as it is: a value that breaks its VR's rules is no reason to answer nothing.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

from serai.imaging.dataset.charset import encodings
from serai.imaging.dataset.elements import LONG_VRS
from serai.imaging.dataset.model_json import (
    DECODED_VRS,
    NAME_GROUPS,
    NUMBER_FORMATS,
    Attribute,
    Attributes,
)

CHARACTER_SET: Final = "00080005"
UTF_8: Final = "ISO_IR 192"
CODE_EXTENSION: Final = "ISO 2022"
PADDED_WITH_NUL: Final = frozenset({"UI", "OB", "UN"})
MAX_SHORT: Final = 0xFFFF
MAX_DECIMAL: Final = 16


def encoded(attributes: Attributes, *, explicit: bool, asked: Iterable[str] = ()) -> bytes:
    """Little endian, in the character set `asked` for if it can say everything, else in UTF-8."""
    told = {tag: each for tag, each in attributes.items() if tag != CHARACTER_SET}
    term, codec = _character_set(told, tuple(asked))
    if term:
        told[CHARACTER_SET] = {"vr": "CS", "Value": [term]}
    return _data_set(told, codec, explicit=explicit)


def _character_set(attributes: Attributes, asked: tuple[str, ...]) -> tuple[str, str]:
    text = "".join(_decoded(attributes))
    if text.isascii():
        return "", "ascii"
    # Code extensions would need escapes written; UTF-8 says the same without.
    if len(asked) == 1 and not asked[0].startswith(CODE_EXTENSION):
        (codec,) = encodings(asked)
        try:
            text.encode(codec)
        except UnicodeEncodeError:
            return UTF_8, "utf-8"
        return asked[0], codec
    return UTF_8, "utf-8"


def _decoded(attributes: Attributes) -> Iterator[str]:
    """Every text that the character set speaks about, in sequences too."""
    for attribute in attributes.values():
        for value in attribute.get("Value", ()):
            if attribute["vr"] == "SQ":
                yield from _decoded(value)
            elif attribute["vr"] in DECODED_VRS and value is not None:
                yield _text(value, attribute["vr"])


def _data_set(attributes: Attributes, codec: str, *, explicit: bool) -> bytes:
    return b"".join(
        _element(tag, attributes[tag], codec, explicit=explicit) for tag in sorted(attributes)
    )


def _element(tag: str, attribute: Attribute, codec: str, *, explicit: bool) -> bytes:
    vr: str = attribute["vr"]
    value = _value(attribute, codec, explicit=explicit)
    if len(value) % 2:
        value += b"\0" if vr in PADDED_WITH_NUL else b" "
    place = struct.pack("<HH", int(tag[:4], 16), int(tag[4:], 16))
    if not explicit:
        return place + struct.pack("<L", len(value)) + value
    if vr in LONG_VRS or len(value) > MAX_SHORT:
        # A value too long for its VR is written as UN (PS3.5 §6.2.2).
        long_vr = vr if vr in LONG_VRS else "UN"
        return place + long_vr.encode() + struct.pack("<HL", 0, len(value)) + value
    return place + vr.encode() + struct.pack("<H", len(value)) + value


def _value(attribute: Attribute, codec: str, *, explicit: bool) -> bytes:
    vr, values = attribute["vr"], attribute.get("Value", [])
    if "InlineBinary" in attribute:
        return base64.b64decode(attribute["InlineBinary"])
    if vr == "SQ":
        return b"".join(_item(value, codec, explicit=explicit) for value in values)
    if vr in NUMBER_FORMATS:
        return struct.pack(f"<{len(values)}{NUMBER_FORMATS[vr]}", *map(_number, values))
    if vr == "AT":
        pairs = (part for value in values for part in (int(value[:4], 16), int(value[4:], 16)))
        return struct.pack(f"<{2 * len(values)}H", *pairs)
    text = "\\".join("" if value is None else _text(value, vr) for value in values)
    written: bytes = text.encode(codec if vr in DECODED_VRS else "ascii", "replace")
    return written


def _item(attributes: Attributes, codec: str, *, explicit: bool) -> bytes:
    content = _data_set(attributes, codec, explicit=explicit)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


def _text(value: Any, vr: str) -> str:
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in NAME_GROUPS).rstrip("=")
    if vr == "DS" and isinstance(value, float):
        return _decimal(value)
    return str(value)


def _decimal(value: float) -> str:
    """At most sixteen characters (PS3.5 §6.2, DS)."""
    exact = repr(value)
    return exact if len(exact) <= MAX_DECIMAL else f"{value:.9g}"
