"""A workitem's data set read from DICOM JSON (PS3.18 Annex F), strictly: what is kept is valid.

An error names the attribute's place, never its value.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from serai.imaging.dataset.elements import public_vr
from serai.imaging.dataset.model_json import NAME_GROUPS, NUMBER_FORMATS, Attributes
from serai.imaging.ups.moments import stretch
from serai.kernel.errors import Malformed, TooLarge

MAX_BODY: Final = 1024 * 1024
MAX_DEPTH: Final = 8
TAG: Final = re.compile(r"[0-9A-F]{8}")
UID: Final = re.compile(r"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))*", re.ASCII)
AFFECTED: Final = "00001000"
# Value representations of PS3.5 §6.2 that are text of one form.
LINE: Final = r"[^\\\x00-\x1f\x7f]"
TEXT: Final = r"[^\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]"
FORMS: Final = {
    vr: re.compile(pattern, re.ASCII | re.DOTALL)
    for vr, pattern in {
        "AE": rf"{LINE}{{1,16}}",
        "AS": r"\d{3}[DWMY]",
        "AT": r"[0-9A-F]{8}",
        "CS": r"[A-Z0-9_ ]{1,16}",
        "LO": rf"{LINE}{{1,64}}",
        "LT": rf"{TEXT}{{1,10240}}",
        "SH": rf"{LINE}{{1,16}}",
        "ST": rf"{TEXT}{{1,1024}}",
        "TM": r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?",
        "UC": rf"{LINE}+",
        "UI": UID.pattern,
        "UR": r"[\x21-\x5b\x5d-\x7e]+",
        "UT": rf"{TEXT}+",
    }.items()
}
INTEGER: Final = re.compile(r"[+-]?\d{1,12}", re.ASCII)
DECIMAL: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
KNOWN: Final = frozenset({"vr", "Value", "InlineBinary"})
BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def data_set(content: bytes) -> Attributes:
    """The one data set of a request: an object, or an array of one."""
    if len(content) > MAX_BODY:
        raise TooLarge("ups.too-large", bytes=MAX_BODY)
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Malformed("ups.not-json") from error
    if isinstance(given, list) and len(given) == 1:
        (given,) = given
    if not isinstance(given, dict):
        raise Malformed("ups.not-json")
    return _attributes(given, "", 0)


def is_uid(text: str) -> bool:
    return UID.fullmatch(text) is not None


def _attributes(given: Mapping[str, Any], path: str, depth: int) -> Attributes:
    if depth > MAX_DEPTH:
        raise Malformed("ups.nested-too-deeply", attribute=path)
    return {tag: _attribute(tag, given[tag], path, depth) for tag in sorted(given)}


def _attribute(tag: str, given: Any, path: str, depth: int) -> dict[str, Any]:
    place = f"{path}{tag}"
    if not TAG.fullmatch(tag) or not _is_ours(tag, depth):
        raise Malformed("ups.not-an-attribute", attribute=place[-100:])
    if not isinstance(given, dict) or set(given) - KNOWN or not _fits(tag, given.get("vr")):
        raise Malformed("ups.attribute", attribute=place)
    vr, values = given["vr"], given.get("Value")
    if "InlineBinary" in given:
        return _binary(given, place)
    if values is None or values == []:
        return {"vr": vr}
    if not isinstance(values, list):
        raise Malformed("ups.attribute", attribute=place)
    if vr == "SQ":
        items = [_item(item, f"{place}/{n}/", depth) for n, item in enumerate(values)]
        return {"vr": vr, "Value": items}
    if not all(value is None or _is_valid(vr, value) for value in values):
        raise Malformed("ups.attribute", attribute=place)
    return {"vr": vr, "Value": values} if any(v is not None for v in values) else {"vr": vr}


def _item(item: Any, path: str, depth: int) -> Attributes:
    if not isinstance(item, dict):
        raise Malformed("ups.attribute", attribute=path.rstrip("/"))
    return _attributes(item, path, depth + 1)


def _is_ours(tag: str, depth: int) -> bool:
    """No command, file meta, group length; the one of a command that names the workitem."""
    if tag == AFFECTED:
        return depth == 0
    return tag[:4] not in ("0000", "0002", "FFFE") and tag[4:] != "0000"


def _fits(tag: str, vr: Any) -> bool:
    if not isinstance(vr, str):
        return False
    known = public_vr(int(tag, 16))
    private = int(tag[:4], 16) % 2 == 1
    known_vr = vr in FORMS or vr in NUMBER_FORMATS or vr in SPECIAL or vr in BINARY
    return known_vr if known == "UN" or private else vr in known.split(" or ")


def _binary(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    content = given["InlineBinary"]
    right = given["vr"] in BINARY and "Value" not in given and isinstance(content, str)
    if not right or len(content) % 4 or not BASE64.fullmatch(content):
        raise Malformed("ups.attribute", attribute=place)
    return {"vr": given["vr"], "InlineBinary": content}


def _is_valid(vr: str, value: Any) -> bool:
    if vr in FORMS:
        return isinstance(value, str) and FORMS[vr].fullmatch(value) is not None
    if vr in SPECIAL:
        return SPECIAL[vr](value)
    return vr in NUMBER_FORMATS and _is_number(vr, value)


def _is_number(vr: str, value: Any) -> bool:
    if not _is_finite(value):
        return False
    try:
        struct.pack(f"<{NUMBER_FORMATS[vr]}", value)
    except (struct.error, OverflowError):
        return False
    return True


def _is_day(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 8 and value.isdigit() and bool(stretch(value))


def _is_moment(value: Any) -> bool:
    return isinstance(value, str) and stretch(value) is not None


def _is_name(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) - set(NAME_GROUPS):
        return False
    return all(
        isinstance(text, str)
        and len(text) <= 64
        and text.isprintable()
        and not set(text) & {*"\\="}
        for text in value.values()
    )


def _is_integer_string(value: Any) -> bool:
    if isinstance(value, str):
        return INTEGER.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31


def _is_decimal_string(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 16 and DECIMAL.fullmatch(value) is not None
    return _is_finite(value)


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


SPECIAL: Final[dict[str, Callable[[Any], bool]]] = {
    "DA": _is_day,
    "DS": _is_decimal_string,
    "DT": _is_moment,
    "IS": _is_integer_string,
    "PN": _is_name,
    "SQ": lambda _: False,
}
BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
