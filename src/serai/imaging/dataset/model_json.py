"""Elements as the DICOM JSON model (PS3.18 Annex F), large values left where they are."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from struct import Struct
from typing import Any

from serai.imaging.dataset.charset import DEFAULT, decode, encodings
from serai.imaging.dataset.elements import PIXEL_DATA, Buffer, Element, Encoding, public_vr

Attribute = dict[str, Any]
Attributes = dict[str, Attribute]

# Private headers and lookup tables beyond this are fetched when somebody wants them.
INLINE_LIMIT = 1024
SHORT = 64
SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103

BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
NUMBER_FORMATS = {
    "FL": "f", "FD": "d", "SL": "l", "SS": "h", "SV": "q", "UL": "L", "US": "H", "UV": "Q",
}  # fmt: skip
DECODED_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
UNSPLIT_VRS = frozenset({"LT", "ST", "UT", "UR"})
NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
NOT_FINITE = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}

Locate = Callable[[str, Element], str]


class JsonModel:
    """Turns one data set's elements into attributes; `locate` gives bulk data its address."""

    def __init__(self, buffer: Buffer, encoding: Encoding, locate: Locate) -> None:
        self._buffer = buffer
        self._order = "<" if encoding.little else ">"
        self._locate = locate

    def attributes(self, elements: Iterable[Element]) -> Attributes:
        """The whole data set but group lengths (PS3.18 §F.2.2), in the order of tags."""
        return self._data_set(elements, codecs=DEFAULT, path="", signed=False)

    def _data_set(
        self, elements: Iterable[Element], *, codecs: tuple[str, ...], path: str, signed: bool
    ) -> Attributes:
        found: Attributes = {}
        for element in elements:
            if element.tag == SPECIFIC_CHARACTER_SET:
                codecs = encodings(self._character_set(element))
            elif element.tag == PIXEL_REPRESENTATION:
                signed = self._raw(element)[:2].strip(b"\0") != b""
            if element.tag & 0xFFFF:
                name = f"{element.tag:08X}"
                found[name] = self._attribute(element, codecs, path + name, signed=signed)
        return found if _ascending(found) else dict(sorted(found.items()))

    def _attribute(
        self, element: Element, codecs: tuple[str, ...], path: str, *, signed: bool
    ) -> Attribute:
        vr = element.vr if len(element.vr) == 2 else _settle_vr(element, signed=signed)
        if vr == "SQ":
            return self._sequence(element, codecs, path, signed=signed)
        if element.length == 0:
            return {"vr": vr}
        if vr in BULK_VRS:
            return self._binary(element, vr, path)
        raw = self._raw(element)
        if vr in NUMBER_FORMATS or vr == "AT":
            return _filled(vr, self._numbers(raw, vr))
        texts = _short_texts if len(raw) <= SHORT else _texts
        return _filled(vr, [*texts(raw, vr, codecs)])

    def _sequence(
        self, element: Element, codecs: tuple[str, ...], path: str, *, signed: bool
    ) -> Attribute:
        items = [
            self._data_set(item, codecs=codecs, path=f"{path}/{index}/", signed=signed)
            for index, item in enumerate(element.items or ())
        ]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}

    def _binary(self, element: Element, vr: str, path: str) -> Attribute:
        large = element.length > INLINE_LIMIT or element.fragments is not None
        if large or element.tag == PIXEL_DATA:
            return {"vr": vr, "BulkDataURI": self._locate(path, element)}
        return {"vr": vr, "InlineBinary": base64.b64encode(self._raw(element)).decode("ascii")}

    def _numbers(self, raw: bytes, vr: str) -> list[Any]:
        if vr == "AT":
            pairs = Struct(f"{self._order}{len(raw) // 4 * 2}H").unpack(raw[: len(raw) // 4 * 4])
            return [f"{pairs[i]:04X}{pairs[i + 1]:04X}" for i in range(0, len(pairs), 2)]
        code = NUMBER_FORMATS[vr]
        size = Struct(f"{self._order}{code}").size
        count = len(raw) // size
        values = Struct(f"{self._order}{count}{code}").unpack(raw[: count * size])
        if vr in ("FL", "FD"):
            return [_finite(value) for value in values]
        return list(values)

    def _character_set(self, element: Element) -> tuple[str, ...]:
        return tuple(self._raw(element).decode("latin-1").strip("\0 ").split("\\"))

    def _raw(self, element: Element) -> bytes:
        return bytes(self._buffer[element.start : element.start + element.length])


def first_text(attributes: Mapping[str, Attribute], tag: str) -> str:
    """The first value as text; a person name's alphabetic group; empty when absent."""
    values = attributes.get(tag, {}).get("Value") or [""]
    value = values[0]
    if isinstance(value, dict):
        return str(value.get("Alphabetic", ""))
    return "" if value is None else str(value)


def _texts(raw: bytes, vr: str, codecs: tuple[str, ...]) -> tuple[Any, ...]:
    if vr in DECODED_VRS:
        text = decode(raw, codecs, person_name=vr == "PN")
    else:
        text = raw.decode("latin-1")
    # DICOM pads UIDs with NUL (PS3.5 §6.2), which PostgreSQL text refuses.
    text = text.replace("\0", " ") if "\0" in text.rstrip("\0") else text.rstrip("\0")
    if vr in UNSPLIT_VRS:
        text = text.rstrip()
        return (text,) if text else ()
    values = tuple(_text_value(part, vr) for part in text.split("\\"))
    return values if any(value is not None for value in values) else ()


# The pictures of a series say most things alike.
_short_texts = lru_cache(maxsize=4096)(_texts)


def _text_value(part: str, vr: str) -> Any:
    part = part.strip()
    if not part:
        return None
    if vr == "PN":
        groups = zip(NAME_GROUPS, part.split("="), strict=False)
        return {name: group.strip() for name, group in groups if group.strip()} or None
    if vr == "IS":
        return _integer(part)
    if vr == "DS":
        return _decimal(part)
    return part


def _integer(part: str) -> int | str:
    try:
        value = int(part)
    except ValueError:
        # Written as "1.0" by some devices; anything else stays visible as it was written.
        return _decimal(part) if part.replace(".", "").isdigit() else part  # type: ignore[return-value]
    return value if abs(value) < 1 << 63 else part


def _decimal(part: str) -> float | int | str:
    try:
        value = float(part)
    except ValueError:
        return part
    if not math.isfinite(value):
        return part
    return int(value) if value.is_integer() and abs(value) < 1 << 53 else value


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else NOT_FINITE[repr(value)]


def _filled(vr: str, values: list[Any]) -> Attribute:
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _settle_vr(element: Element, *, signed: bool) -> str:
    """One VR where the dictionary offers several for implicit data sets (PS3.5 §A.1)."""
    choices = element.vr.split(" or ")
    if "OW" in choices and (element.length > 6 or "US" not in choices):
        return "OW"
    return "SS" if signed and "SS" in choices else "US"


def _ascending(found: Attributes) -> bool:
    names = list(found)
    return all(names[i] < names[i + 1] for i in range(len(names) - 1))


def vr_of(tag: int) -> str:
    """The VR an empty attribute of this tag shows."""
    return public_vr(tag).split(" or ")[0]
