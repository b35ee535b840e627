"""Attribute matching outside the database (PS3.4 §C.2.2.2): does an object answer the keys?"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from serai.imaging.dataset.model_json import Attribute, Attributes
from serai.imaging.dataset.names import fold_group
from serai.imaging.dimse.identifiers import UNIVERSAL, key_text
from serai.kernel.errors import Malformed

RANGES: Final = frozenset({"DA", "TM", "DT"})
NOT_MATCHED: Final = frozenset({"00080005", "00080053"})
LAST: Final = "\U0010ffff"


def answers(found: Attributes, keys: Attributes) -> bool:
    """Whether every key that has a value is matched."""
    return all(
        _matches(found.get(tag, {"vr": key["vr"]}), key, tag)
        for tag, key in keys.items()
        if tag not in NOT_MATCHED
    )


def asked_of(found: Attributes, keys: Attributes) -> Attributes:
    """What the keys ask for, empty where the object has nothing (PS3.4 §C.2.2.1)."""
    told: Attributes = {}
    for tag, key in keys.items():
        attribute = found.get(tag, {"vr": key["vr"]})
        items = key.get("Value", []) if key["vr"] == "SQ" else []
        if items and items[0]:
            kept = [asked_of(item, items[0]) for item in attribute.get("Value", [])]
            attribute = {"vr": "SQ", "Value": kept} if kept else {"vr": "SQ"}
        if tag not in NOT_MATCHED:
            told[tag] = attribute
    return told


def _matches(attribute: Attribute, key: Attribute, tag: str) -> bool:
    if key["vr"] == "SQ":
        items = key.get("Value", [])
        wanted = items[0] if items else {}
        inner = attribute.get("Value", []) or [{}]
        return any(answers(item, wanted) for item in inner)
    wanted_text = key_text(key)
    if wanted_text in UNIVERSAL:
        return True
    return any(_one_matches(value, wanted_text, key["vr"], tag) for value in _values(attribute))


def _values(attribute: Attribute) -> list[Any]:
    return [value for value in attribute.get("Value", []) if value is not None]


def _one_matches(value: Any, wanted: str, vr: str, tag: str) -> bool:
    if vr in RANGES:
        return _within(str(value), wanted, tag)
    if vr == "PN":
        return _name_matches(value, wanted)
    if vr == "UI":
        return str(value) in wanted.split("\\")
    return bool(_pattern(wanted).fullmatch(str(value)))


def _name_matches(name: Any, wanted: str) -> bool:
    groups = [fold_group(text) for text in name.values()] if isinstance(name, dict) else [name]
    patterns = [fold_group(group) for group in wanted.split("=")]
    return any(
        _pattern(pattern).fullmatch(group) for pattern in patterns if pattern for group in groups
    )


def _within(value: str, wanted: str, tag: str) -> bool:
    low, dash, high = wanted.replace(":", "").strip().partition("-")
    if not (low + high).replace(".", "").isdigit():
        raise Malformed("qido.value", tag=tag)
    high = high if dash else low
    return low <= value and (not high or value <= high + LAST)


@lru_cache(maxsize=512)
def _pattern(wanted: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in wanted)
    return re.compile("".join(parts), re.DOTALL)
